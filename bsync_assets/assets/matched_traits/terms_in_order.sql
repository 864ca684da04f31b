-- Which items are which terms of which rules, in the order in which they are sought. Reads `effect`.
SELECT
    item,
    context,
    trait_id,
    term
FROM effect
WHERE effect = 'term'
ORDER BY item, context, trait_id;
