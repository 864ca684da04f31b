"""Every counter of a receipt and every reason code, declared once: tables, receipts, mails and docs take them from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counter:
    """One figure of a receipt: its column, its label in the mail, and what it counts."""

    name: str
    label: str
    meaning: str


@dataclass(frozen=True)
class Reason:
    """Why a line was not stored: which counter it adds to, which rule says so, and what the sender can do.

    `sync_rule` says so of rows of sync files, where that is another rule.
    """

    code: str
    counter: str
    rule: str
    meaning: str
    sync_rule: str = ""


#: The figures of a data receipt, in the order of the message (INB-122). Labels are ours; "platform ID" stands for the
#: visitor ID that the documented message names after its product.
DATA_COUNTERS: tuple[Counter, ...] = (
    Counter("records_received", "Records received", "non-blank lines of all files (INB-123)"),
    Counter("format_errors", "Format errors", "lines that break the grammar (INB-50 to INB-74)"),
    Counter("invalid_aam_id", "Invalid platform ID", "user ID is not a platform ID (INB-68)"),
    Counter("no_matching_aam_id", "No matching ID", "customer ID without a link to a device (INB-91)"),
    Counter("no_trait_realized", "No trait realized", "records that add and remove no valid trait (INB-126)"),
    Counter("records_processed", "Records processed", "received less lines over a limit (INB-124)"),
    Counter("stored_records", "Stored records", "records that added or removed a trait (INB-125)"),
    Counter("total_devices", "Total devices", "distinct devices of stored records (INB-133)"),
    Counter("total_signals", "Total signals", "items of well-formed records (INB-129)"),
    Counter("total_unused_signals", "Total unused signals", "items no rule or trait of the target uses (INB-84)"),
    Counter("total_realized_traits", "Total realized traits", "traits added, per record (INB-130)"),
    Counter("total_removed_traits", "Total removed traits", "traits held before and lost (INB-131)"),
    Counter("traits_failed_validation", "Total traits failed validation", "foreign or wrong traits named (INB-132)"),
    Counter("records_with_failed_traits", "Total users that have traits which failed validation", "records (INB-132)"),
    Counter("invalid_device_id", "Invalid device ID", "user ID is no ID of its device namespace (INB-69)"),
    Counter("opted_out", "Opted out", "the user or all its devices opted out (INB-96)"),
    Counter("lines_over_length", "Lines over length", "lines of more than 102400 bytes (INB-35)"),
    Counter("lines_over_user_limit", "Lines over user limit", "lines after the 200th of a user and file (INB-36)"),
    Counter("dropped_inactive", "Dropped inactive", "stored, but the device is unknown or inactive (INB-95)"),
    Counter("stored_unmatched", "Stored unmatched", "stored under a cross-device ID without a device yet (INB-90)"),
)

#: The figures of an ID-sync receipt (IDS-146).
SYNC_COUNTERS: tuple[Counter, ...] = (
    Counter("records_received", "Records received", "non-blank rows of all files"),
    Counter("lines_over_length", "Lines over length", "rows of more than 102400 bytes (IDS-57)"),
    Counter("records_processed", "Records processed", "received less rows over length (IDS-147)"),
    Counter("format_errors", "Format errors", "rows that break the grammar (IDS-45 to IDS-59)"),
    Counter("invalid_aam_id", "Invalid platform ID", "a platform ID is not one (IDS-11)"),
    Counter("invalid_device_id", "Invalid device ID", "a device ID is not one (IDS-13 to IDS-22)"),
    Counter("no_matching_aam_id", "No matching ID", "chained rows whose first ID has no device (IDS-63)"),
    Counter("opted_out", "Opted out", "rows of opted-out IDs (IDS-125)"),
    Counter("stored_records", "Stored records", "rows that made or refreshed a link (IDS-147)"),
    Counter("new_mappings", "New links", "links first seen with this file"),
    Counter("refreshed_mappings", "Refreshed links", "links seen again (IDS-65)"),
    Counter("evicted_mappings", "Evicted links", "oldest links over a limit (IDS-135 to IDS-137, IDS-71)"),
)

LINE_REASONS: tuple[Reason, ...] = (
    Reason("line_too_long", "lines_over_length", "INB-35", "the line has more than 102400 bytes; split it", "IDS-57"),
    Reason("over_user_limit", "lines_over_user_limit", "INB-36", "more than 200 lines for this ID in this file"),
    Reason("bad_encoding", "format_errors", "INB-38", "the line is not valid UTF-8; save the file as UTF-8", "IDS-51"),
    Reason("control_char", "format_errors", "INB-73", "a control character stands in the line; remove it", "IDS-51"),
    Reason("no_tab", "format_errors", "INB-50", "no TAB between the user ID and the data"),
    Reason("extra_tab", "format_errors", "INB-50", "more TABs than columns; separate items with commas"),
    Reason("empty_user_id", "format_errors", "INB-50", "nothing before the TAB; every line needs a user ID"),
    Reason("unknown_id_type", "format_errors", "INB-74", "the ID type is neither IDFA nor Android device ID"),
    Reason("mixed_id_type", "format_errors", "INB-74", "a second ID type in one file; send one file per type"),
    Reason("empty_payload", "format_errors", "INB-53", "no item behind the TAB"),
    Reason("unbalanced_quote", "format_errors", "INB-55", "an odd number of double quotes"),
    Reason("bad_quote", "format_errors", "INB-55", "a quote inside a key or value; quote the whole text or nothing"),
    Reason("pii", "format_errors", "INB-71", "an e-mail address in clear; send a hash instead", "IDS-55"),
    Reason("colon_in_id", "format_errors", "INB-70", "a colon in a customer ID", "IDS-53"),
    Reason("bad_hash", "format_errors", "INB-72", "not a SHA-256 in 64 lower-case hex digits", "IDS-23"),
    Reason("column_count", "format_errors", "IDS-46", "the row has not one column per data source of the name"),
    Reason("empty_id", "format_errors", "IDS-47", "an empty column"),
    Reason("trailing_whitespace", "format_errors", "IDS-48", "a TAB or blank at the end of the row"),
    Reason("whitespace_in_id", "format_errors", "IDS-49", "a blank at the edge of an ID"),
    Reason("url_encoded_id", "format_errors", "IDS-54", "a percent-encoded ID; send it raw"),
    Reason("too_many_emails", "format_errors", "IDS-56", "more than 10 hashed e-mails in a row"),
    Reason("invalid_aam_id", "invalid_aam_id", "INB-68", "not a platform ID of 38 digits", "IDS-11"),
    Reason("invalid_device_id", "invalid_device_id", "INB-69", "not an ID of this device namespace", "IDS-10"),
    Reason("opted_out", "opted_out", "INB-96", "the visitor opted out; stop sending this ID", "IDS-125"),
    Reason("no_matching_aam_id", "no_matching_aam_id", "INB-91", "no link to a device yet; send a sync file", "IDS-63"),
    Reason("no_trait_realized", "no_trait_realized", "INB-126", "no item names or fulfils a trait of the target"),
)

#: Why a whole file is refused: code -> (rule, what it means and what to do).
FILE_REASONS: dict[str, tuple[str, str]] = {
    "bad_date_folder": ("INB-03", "put the file directly into a folder date=YYYY-MM-DD"),
    "missing_partner_folder": ("INB-03", "put the date folder into the folder of the partner"),
    "unknown_prefix": ("INB-11", "the name must begin with ftp_dpm_, adobe_id_ or c2c_id_, in lower case"),
    "already_processed": ("INB-05", "the name says the file was processed already; give it a new name"),
    "bad_mode": ("INB-21", "the time stamp must be followed by .sync, or .overwrite for data files, in lower case"),
    "bad_suffix": ("INB-22", "after .sync or .overwrite only a part number and .gz, .pgp or .gpg may follow"),
    "unsupported_compression": ("INB-23", "compress with gzip and the ending .gz"),
    "gz_and_pgp": ("INB-25", "PGP compresses by itself; send the file without gzip"),
    "bad_timestamp": ("INB-19", "the last number must be a time in seconds with exactly 10 digits"),
    "bad_dpid": ("INB-12", "a data source ID is a number of up to 10 digits without leading zero"),
    "missing_dpid": ("INB-27", "the name lacks a data source ID"),
    "too_many_dpids": ("INB-27", "the name has more data source IDs than its format allows"),
    "duplicate_dpid": ("IDS-35", "a data source ID occurs twice in the name"),
    "device_dpid_in_c2c": ("IDS-34", "c2c files link customer IDs to hashed e-mails; no device IDs there"),
    "device_id_not_first": ("IDS-62", "device IDs belong into the first column"),
    "missing_target_data_owner": ("INB-13", "a file of device IDs must name the target data source after the first ID"),
    "target_is_global": ("INB-16", "the target must be a data source of a partner, not a shared namespace"),
    "unknown_dpid": ("INB-42", "no such data source in the catalog; ask operations to declare it"),
    "source_not_authorized": ("INB-17", "the data source belongs to another company; ask for access"),
    "unknown_target": ("INB-42", "no such target data source in the catalog; ask operations to declare it"),
    "target_not_authorized": ("INB-17", "the target belongs to another company; ask for access"),
    "not_hashed_email_source": ("IDS-72", "the second data source must be cross-device and labelled for hashed e-mails"),
    "file_too_large": ("INB-31", "at most 3 GB compressed or 5 GB as it is; split the file"),
    "took_too_long": ("INB-32", "the file takes too long to fetch or unpack; split it"),
    "too_many_files": ("INB-32", "more files on one day than agreed; send fewer, larger ones"),
    "expands_too_far": ("INB-32", "the file expands beyond the safety limit; split it"),
    "empty_file": ("INB-34", "the file has no line"),
    "bad_encoding": ("INB-38", "the file is not ASCII or UTF-8"),
    "bad_gzip": ("INB-40", "the gzip stream is damaged or cut short; send it again in binary mode"),
    "bad_pgp": ("INB-40", "the file cannot be decrypted"),
    "compression_mismatch": ("INB-40", "name and content disagree on compression"),
    "removes_too_much": (
        "INB-101",
        "held, not refused: the overwrite would take away an unusual share of what is stored; operations looks at it and lets "
        "it in (bsync release) or takes it out (bsync retract)",
    ),
    "retracted": ("INB-136", "taken out by operations after it had come in; the same bytes under the same name stay out"),
}

#: What a file of the manifest can be. Only accepted ones are read.
FILE_STATUSES: dict[str, str] = {
    "accepted": "let in",
    "refused": "not let in, for the reason of its code",
    "duplicate": "the same bytes came before under the same name (INB-29)",
    "held": "waits for `bsync release` or `bsync retract`",
    "retracted": "taken out by `bsync retract`, as if it had never come",
}
