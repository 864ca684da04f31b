"""Every table of the lake, declared once: columns, types, meaning, grain. DDL, comments, views and docs come from here.

Three kinds:

- `daily`: rows belong to a day and are replaced a day at a time;
- `state`: what holds at the end of a day, stored as a base plus one change set per day and folded when read. The table
  `<name>_base` has the columns and `as_of`; `<changes>` has them too, with `day`, `change` (`removed` ends a key) and `reason`;
- `log`: rows are added and never replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS, Counter


@dataclass(frozen=True)
class Column:
    """One column: name, DuckDB type, what it says."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """One table; `key` is its grain. `changes` names the change-set table of a state."""

    name: str
    kind: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    changes: str = ""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in declared order."""
        return tuple(column.name for column in self.columns)


def _columns(text: str) -> tuple[Column, ...]:
    """Parse lines `name TYPE: comment`."""
    columns = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        head, comment = line.split(": ", 1)
        name, sql_type = head.split(" ", 1)
        columns.append(Column(name, sql_type, comment))
    return tuple(columns)


def _counters(counters: tuple[Counter, ...]) -> tuple[Column, ...]:
    return tuple(Column(c.name, "BIGINT", c.meaning) for c in counters)


_DAY = "day DATE: business day (UTC)"
_PARTNER = "partner VARCHAR: name of the partner, as in the catalog"
_BATCH = "batch INTEGER: which pick-up of the day saw the file first; a receipt covers one batch"
_ID = """
    dpid BIGINT: namespace of the ID (data source ID, 0 = platform ID)
    id VARCHAR: the ID within its namespace
"""
_DOCUMENT = """
    run_id VARCHAR: run that issued this revision
    batch INTEGER: which pick-up of the day it covers
    revision INTEGER: 1, 2, ...; a later one replaces the figures of an earlier one
    as_of DATE: day whose links it reckons with; later than `day` when kept records matched late
    files INTEGER: number of files covered
    balanced BOOLEAN: whether the figures add up; only then the receipt may go out
    why VARCHAR: why a later revision was issued
    job_start TIMESTAMP: start of the run (UTC)
    job_end TIMESTAMP: when the figures were final (UTC)
"""

TABLES: tuple[Table, ...] = (
    Table(
        "inbound_files",
        "daily",
        "The manifest: every file seen, accepted or refused. Facts are kept from first sight.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            key VARCHAR: where the file lay, below the inbox
            sha256 VARCHAR: hash of the bytes as delivered; names the kept copy
            file_id BIGINT: number that stands for the file in records and operations
            size_bytes BIGINT: size as delivered
            family VARCHAR: data or id_sync; null when the name was refused
            format VARCHAR: standard or odc for data, adobe_id or c2c_id for sync files
            dpid BIGINT: data source of the user IDs (data) or of the first column (sync)
            target BIGINT: data source whose traits a data file may change
            dpids BIGINT[]: data sources of the further columns of a sync file
            mode VARCHAR: sync or overwrite
            split BIGINT: part number, if any
            compression VARCHAR: gz or null
            encryption VARCHAR: pgp, gpg or null
            status VARCHAR: accepted, refused, duplicate, held or retracted
            reject_reason VARCHAR: code of the refusal, or why it is held or was retracted
            lines BIGINT: physical lines of the unpacked file, blank ones included
            arrived_at TIMESTAMP: modification time when first seen; decides the order of processing
            batch INTEGER: which pick-up of the day saw it first; a receipt covers one batch
            would_remove BIGINT: trait memberships that a file, once held, would have taken away
            decided_by VARCHAR: who retracted it or let it in
            decided_at TIMESTAMP: when that was decided (UTC)
        """),
        ("day", "partner", "key", "sha256", "arrived_at"),
    ),
    Table(
        "id_sync_pairs",
        "daily",
        "Accepted rows of ID-sync files: one row per ID of a further column.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the sync file
            {_BATCH}
            file_no INTEGER: order of the file within the day
            line_no BIGINT: physical line
            col INTEGER: number of the further column, from 1
            format VARCHAR: adobe_id or c2c_id
            master_dpid BIGINT: namespace of the first column
            master_id VARCHAR: ID in the first column
            {_ID}
            seen_at TIMESTAMP: arrival of the file, clamped into its day
        """),
        ("day", "file", "line_no", "col"),
    ),
    Table(
        "id_sync_figures",
        "daily",
        "Figures of each ID-sync file, as on its receipt.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the sync file
            {_BATCH}
        """)
        + _counters(SYNC_COUNTERS),
        ("day", "partner", "file", "batch"),
    ),
    Table(
        "rejected_lines",
        "daily",
        "Every line that was received but not stored, with the reason.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the file
            line_no BIGINT: physical line, from 1
            reason VARCHAR: reason code
            sample VARCHAR: the line with IDs and values masked; kept for lines that break a rule
            {_BATCH}
            stage VARCHAR: step that refused it
        """),
        ("day", "file", "batch", "line_no"),
    ),
    Table(
        "stored_records",
        "daily",
        "Records that ask for something: those stored, and those kept because their ID has no link yet.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file_id BIGINT: the data file, see inbound_files
            line_no BIGINT: physical line of the record
            {_ID}
            matched BOOLEAN: false when the record is kept until its ID gets a link (INB-91)
        """),
        ("day", "file_id", "line_no"),
    ),
    Table(
        "trait_operations",
        "daily",
        "What these records ask for: one row per record and trait. Records of overwrite files also take away the rest.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file_id BIGINT: the data file, see inbound_files
            line_no BIGINT: physical line of the record
            trait_id BIGINT: the trait
            operation VARCHAR: add or remove
        """),
        ("day", "file_id", "line_no", "trait_id"),
    ),
    Table(
        "late_matches",
        "daily",
        "Kept records of earlier days whose ID got its first link on this day: applied now, counted on the receipt of then.",
        _columns(f"""
            {_DAY}
            origin_day DATE: day of the file
            {_PARTNER}
            file_id BIGINT: the data file, see inbound_files
            line_no BIGINT: physical line of the record
            {_ID}
            removed INTEGER: traits it took away (INB-131)
            inactive INTEGER: devices it did not reach because they are unknown or inactive (INB-95)
        """),
        ("day", "file_id", "line_no"),
    ),
    Table(
        "id_sync_events",
        "daily",
        "Every call that the HTTP service answered, with what became of it. Of a refused call nothing else is kept.",
        _columns(f"""
            {_DAY}
            event BIGINT: number of the call within the day, by time
            called_at TIMESTAMP: when it came in (UTC)
            call VARCHAR: ibs, id, event or demoptout
            outcome VARCHAR: taken, opt_out, or why it was refused
            errors INTEGER[]: codes in the answer (IDS-110)
            device_id VARCHAR: the visitor's platform ID
            is_new BOOLEAN: whether the visitor got this ID with this call
            redirect VARCHAR: sent, or refused because the host is none of the partner's; null when none was asked for
            syncs VARCHAR[]: partners that the answer had the browser call (IDS-88)
        """),
        ("day", "event"),
    ),
    Table(
        "event_ids",
        "daily",
        "The IDs on the calls that were taken: each links to the device of its call (IDS-86, SEG-002).",
        _columns(f"""
            {_DAY}
            event BIGINT: the call, see id_sync_events
            {_ID}
            auth INTEGER: authentication state: 1 = logged in (IDS-103)
        """),
        ("day", "event", "dpid", "id", "auth"),
    ),
    Table(
        "event_signals",
        "daily",
        "What visits said: the signals of the events that were taken. Those of private keys are never kept (TRT-006).",
        _columns(f"""
            {_DAY}
            event BIGINT: the call, see id_sync_events
            key VARCHAR: key of the signal
            value VARCHAR: its value
        """),
        ("day", "event", "key", "value"),
    ),
    Table(
        "event_traits",
        "daily",
        "Rule-based traits that the day's visits realized, per profile (TRT-021, SEG-002).",
        _columns(f"""
            {_DAY}
            {_ID}
            trait_id BIGINT: the trait
            count BIGINT: visits of the day that satisfied its rule (TRT-061)
            first_at TIMESTAMP: first such visit of the day
            last_at TIMESTAMP: latest such visit of the day
        """),
        ("day", "dpid", "id", "trait_id"),
    ),
    Table(
        "data_figures",
        "daily",
        "Figures of each data file that the file alone decides.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the data file
            {_BATCH}
            dpid BIGINT: data source of the user IDs
            target BIGINT: data source whose traits the file may change
        """)
        + _counters(
            tuple(c for c in DATA_COUNTERS if c.name not in ("total_devices", "total_removed_traits", "dropped_inactive"))
        )
        + _columns("stored_unused_signals BIGINT: unused signals of stored records alone (INB-129)"),
        ("day", "partner", "file", "batch"),
    ),
    Table(
        "unused_signals",
        "daily",
        "Pairs of data files that no rule used, sent a hundred times and more on a day; kept for 45 days (INB-147).",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            target BIGINT: data source whose rules were asked
            key VARCHAR: key of the signal; ic for a bare value
            value VARCHAR: its value; 1 when it was empty
            hits BIGINT: how often it was sent; on days of more than 160 MB up to 9 less for each 160 MB
            trait_id BIGINT: the trait whose rule would use it after a small change; null when there is none
            change VARCHAR: what differs from that rule: case, value (blanks, punctuation), key, operator (one word of several)
            users BIGINT: matched users that sent it, whom the changed rule would reach
        """),
        ("day", "partner", "target", "key", "value"),
    ),
    Table(
        "profile_figures",
        "daily",
        "Figures of each data file that depend on what the profiles held before.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the data file
            {_BATCH}
            total_removed_traits BIGINT: traits held before and lost (INB-131)
            dropped_inactive BIGINT: records and devices dropped because the device is unknown or inactive (INB-95)
        """),
        ("day", "partner", "file", "batch"),
    ),
    Table(
        "device_figures",
        "daily",
        "Distinct devices of each receipt: the one figure that is no sum over files (INB-137).",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            origin_day DATE: day of the files; before `day` when kept records reached further devices
            dpid BIGINT: data source of the user IDs
            target BIGINT: data source whose traits the files may change
            {_BATCH}
            total_devices BIGINT: distinct devices of stored records, not counted before (INB-133)
        """),
        ("day", "origin_day", "partner", "dpid", "target", "batch"),
    ),
    Table(
        "id_links",
        "state",
        "Which device each ID belongs to, as of the last day run.",
        _columns(f"""
            {_ID}
            device_dpid BIGINT: namespace of the device
            device_id VARCHAR: the device
            first_seen TIMESTAMP: first sighting of the pair
            last_seen TIMESTAMP: latest sighting; the newest link of an ID is the one that counts
            seq BIGINT: order among sightings of the same instant
            origin VARCHAR: where the latest sighting came from: file, http or import
        """),
        ("dpid", "id", "device_dpid", "device_id"),
        "id_links_changes",
    ),
    Table(
        "evicted_links",
        "daily",
        "Links that a limit pushed out on the day, also those that only came on that day (IDS-135 to IDS-137).",
        _columns(f"""
            {_DAY}
            {_ID}
            device_dpid BIGINT: namespace of the device
            device_id VARCHAR: the device
            last_seen TIMESTAMP: latest sighting of the pair
            partner VARCHAR: sender of the row whose link pushed it out; like the other three null where a call did
            file VARCHAR: key of its file
            batch INTEGER: its pick-up
            line_no BIGINT: its line
        """),
        ("day", "dpid", "id", "device_dpid", "device_id"),
    ),
    Table(
        "partner_sources",
        "daily",
        "The data sources of partners that we sync with over HTTP: a link to one of them is a link with the partner (IDS-88).",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            dpid BIGINT: data source that the partner owns
        """),
        ("day", "partner", "dpid"),
    ),
    Table(
        "email_links",
        "state",
        "Hashed e-mails of customer IDs, as of the last day run.",
        _columns(f"""
            {_ID}
            email_dpid BIGINT: data source of the hashed e-mail
            hash VARCHAR: SHA-256 of the trimmed, lower-cased address
            last_seen TIMESTAMP: latest sighting; the newest ten stay
            seq BIGINT: order among sightings of the same instant
        """),
        ("dpid", "id", "email_dpid", "hash"),
        "email_links_changes",
    ),
    Table(
        "profile_traits",
        "state",
        "Which profile holds which trait, as of the last day run.",
        _columns(f"""
            {_ID}
            trait_id BIGINT: the trait
            data_source BIGINT: data source the trait belongs to
            first_realized TIMESTAMP: first qualification of this life of the trait
            last_realized TIMESTAMP: latest qualification
            expires_at TIMESTAMP: end of its time to live; null = never
        """),
        ("dpid", "id", "trait_id"),
        "profile_traits_changes",
    ),
    Table(
        "trait_counts",
        "state",
        "How often rule-based traits were realized in their present life, per UTC date (TRT-067, TRT-084).",
        _columns(f"""
            {_ID}
            trait_id BIGINT: the trait
            date DATE: UTC date of the visits
            count BIGINT: visits of the date that satisfied its rule
        """),
        ("dpid", "id", "trait_id", "date"),
        "trait_counts_changes",
    ),
    Table(
        "segment_members",
        "state",
        "Which ID is in which segment, as of the last day run.",
        _columns(f"""
            segment_id BIGINT: the segment
            {_ID}
        """),
        ("segment_id", "dpid", "id"),
        "segment_changes",
    ),
    Table(
        "segment_runs",
        "daily",
        "Every segment on every day run: which definition it had, and how many IDs were in it.",
        _columns(f"""
            {_DAY}
            segment_id BIGINT: the segment
            status VARCHAR: active, paused or deleted
            definition VARCHAR: hash of all that decides who is a member: expression, merge rule, the traits named
            rule VARCHAR: the expression it was last judged by
            evaluated_on DATE: last day it was judged; earlier than day while it is paused (SEG-041)
            members BIGINT: IDs in it at the end of the day
            added BIGINT: IDs that came in on the day
            removed BIGINT: IDs that left on the day
        """),
        ("day", "segment_id"),
    ),
    Table(
        "trait_populations",
        "daily",
        "How many profiles hold each trait at the end of the day, and realized it in the days up to it (SEG-060, SEG-061).",
        _columns(f"""
            {_DAY}
            trait_id BIGINT: the trait
            kind VARCHAR: device or person
            population BIGINT: profiles that hold the trait
            unique_1 BIGINT: profiles that realized it on the day
            unique_7 BIGINT: profiles that realized it in the last 7 days
            unique_14 BIGINT: profiles that realized it in the last 14 days
            unique_30 BIGINT: profiles that realized it in the last 30 days
            unique_60 BIGINT: profiles that realized it in the last 60 days
            unique_90 BIGINT: profiles that realized it in the last 90 days
            total_1 BIGINT: visits that realized it; 0 for onboarded traits, on the day
            total_7 BIGINT: visits that realized it; 0 for onboarded traits, in the last 7 days
            total_14 BIGINT: visits that realized it; 0 for onboarded traits, in the last 14 days
            total_30 BIGINT: visits that realized it; 0 for onboarded traits, in the last 30 days
            total_60 BIGINT: visits that realized it; 0 for onboarded traits, in the last 60 days
            total_90 BIGINT: visits that realized it; 0 for onboarded traits, in the last 90 days
        """),
        ("day", "trait_id", "kind"),
    ),
    Table(
        "segment_populations",
        "daily",
        "How many IDs were in each segment at the end of any of the days up to this one (SEG-062).",
        _columns(f"""
            {_DAY}
            segment_id BIGINT: the segment
            members_1 BIGINT: IDs that were in it on the day
            members_7 BIGINT: IDs that were in it in the last 7 days
            members_14 BIGINT: IDs that were in it in the last 14 days
            members_30 BIGINT: IDs that were in it in the last 30 days
            members_60 BIGINT: IDs that were in it in the last 60 days
            members_90 BIGINT: IDs that were in it in the last 90 days
        """),
        ("day", "segment_id"),
    ),
    Table(
        "segment_overlaps",
        "state",
        "How many IDs two segments share, as of the last day run; pairs that share none are left out (SEG-064).",
        _columns("""
            segment_id BIGINT: the one segment
            other_id BIGINT: the other, of greater ID
            shared BIGINT: IDs that are in both
        """),
        ("segment_id", "other_id"),
        "segment_overlaps_changes",
    ),
    Table(
        "catalog_versions",
        "log",
        "Every content of the catalog that a run has used.",
        _columns("""
            catalog_sha256 VARCHAR: hash of the content
            content VARCHAR: the content as JSON, defaults written out
            first_day DATE: business day (UTC) that used it first
        """),
        ("catalog_sha256",),
    ),
    Table(
        "activity",
        "state",
        "When each platform ID was last seen alive by us: visits and imports. Links count besides.",
        _columns(f"""
            {_ID}
            first_at TIMESTAMP: first visit we know of; null when it was imported
            last_at TIMESTAMP: last sighting
        """),
        ("dpid", "id"),
        "activity_changes",
    ),
    Table(
        "opt_outs",
        "state",
        "IDs whose data is neither taken nor used. Nothing lifts an opt-out.",
        _columns(f"""
            {_ID}
            opted_out_at TIMESTAMP: when it was asked for
            kind VARCHAR: global, account, or consent that was refused (PRV-016, PRV-020, PRV-022); null when it was imported
        """),
        ("dpid", "id"),
        "opt_outs_changes",
    ),
    Table(
        "published_members",
        "state",
        "What each destination was told last: the values each of its IDs holds there (OUT-070).",
        _columns("""
            destination BIGINT: the destination
            id VARCHAR: user ID in the namespace of the destination
            value VARCHAR: destination value of the segment
            segment_id BIGINT: the segment
            device_dpid BIGINT: namespace of the device the ID stood for
            device_id VARCHAR: that device
        """),
        ("destination", "id", "value"),
        "published_changes",
    ),
    Table(
        "deliveries",
        "daily",
        "Every delivery to a destination, from the moment it is frozen.",
        _columns(f"""
            {_DAY}
            destination BIGINT: the destination
            ts_ms BIGINT: time stamp of the delivery, in all its names (UTC, milliseconds); no other has it
            mode VARCHAR: full or iter
            status VARCHAR: frozen, held, released, failed or delivered
            why VARCHAR: what holds it, or why the last attempt failed
            records BIGINT: lines written, headers excluded (OUT-133)
            failed BIGINT: rows not written because they would break their line (OUT-053)
            added BIGINT: (ID, value) pairs the destination learns
            removed BIGINT: (ID, value) pairs it is told to forget
            attempts INTEGER: attempts to deliver
            frozen_at TIMESTAMP: when its bytes were made (UTC)
            started_at TIMESTAMP: start of the last attempt (UTC)
            ended_at TIMESTAMP: when it was complete (UTC)
        """),
        ("day", "destination", "ts_ms"),
    ),
    Table(
        "outbound_files",
        "daily",
        "The history of delivered files, control files included (OUT-130).",
        _columns(f"""
            {_DAY}
            destination BIGINT: the destination
            name VARCHAR: name of the file
            mode VARCHAR: full or iter
            bytes BIGINT: size as delivered
            lines BIGINT: lines of the uncompressed text, header included
            md5 VARCHAR: of the file as delivered
            status VARCHAR: frozen, held, released, failed or delivered, as its delivery
            ts_ms BIGINT: the delivery it belongs to
            part INTEGER: sequence number, 0 for the control file
            method VARCHAR: s3 or ftp
            records BIGINT: lines without headers; 0 for the control file
            attempts INTEGER: attempts to transfer it
            seconds DOUBLE: duration of the transfer
            started_at TIMESTAMP: start of the transfer (UTC)
            ended_at TIMESTAMP: end of the transfer (UTC)
        """),
        ("day", "destination", "name"),
    ),
    Table(
        "addressable_members",
        "daily",
        "How much of each mapped segment a destination could be told of (OUT-013).",
        _columns(f"""
            {_DAY}
            destination BIGINT: the destination
            segment_id BIGINT: the segment
            members BIGINT: members of the segment
            addressable BIGINT: members with an ID in the namespace of the destination
            not_addressable BIGINT: members without
        """),
        ("day", "destination", "segment_id"),
    ),
    Table(
        "export_blocks",
        "daily",
        "Mappings that were not sent, because of an export control or because the namespace cannot take the segment.",
        _columns(f"""
            {_DAY}
            destination BIGINT: the destination
            segment_id BIGINT: the segment
            code VARCHAR: the control, or merge_rule (OUT-012)
            source VARCHAR: data source that carries the control, or the merge rule
        """),
        ("day", "destination", "segment_id", "code", "source"),
    ),
    Table(
        "receipts",
        "log",
        "Receipts of data files: one per day, partner, source, target, batch and revision.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            dpid BIGINT: data source of the user IDs
            target BIGINT: data source whose traits the files may change
            {_DOCUMENT}
        """)
        + _counters(DATA_COUNTERS),
        ("day", "partner", "dpid", "target", "batch", "revision"),
    ),
    Table(
        "id_sync_receipts",
        "log",
        "Receipts of ID-sync files: one per file, batch and revision.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the sync file
            {_DOCUMENT}
        """)
        + _counters(SYNC_COUNTERS),
        ("day", "partner", "file", "batch", "revision"),
    ),
    Table(
        "mail_outbox",
        "log",
        "Every message: receipts, notices of refused files, pages to operations, as mail and as copy next to the files. Each "
        "attempt adds an entry.",
        _columns(f"""
            message_id VARCHAR: stable Message-ID, the same at every attempt
            channel VARCHAR: mail, or file for the copies next to the files
            {_DAY}
            {_PARTNER}
            kind VARCHAR: data, id_sync or refused
            dpid BIGINT: data source of the user IDs (data)
            target BIGINT: data source whose traits the files may change (data)
            dpids BIGINT[]: namespaces of the columns (id_sync)
            {_BATCH}
            revision INTEGER: revision of the receipt
            balanced BOOLEAN: false for a page to operations about figures that do not add up
            recipients VARCHAR[]: who still has to get it, of copies the keys of the files; of a sent message, who got it last
            status VARCHAR: due, sent or failed
            attempts INTEGER: attempts so far; the entry with most attempts is the one that holds
            last_error VARCHAR: what the mail server, or the place of the files, said last
            next_try TIMESTAMP: not tried again before (UTC)
            written_at TIMESTAMP: when this entry was written (UTC)
        """),
        ("message_id", "attempts"),
    ),
    Table(
        "runs",
        "log",
        "Each day that was run, with the catalog it used.",
        _columns(f"""
            {_DAY}
            run_id VARCHAR: run of the orchestrator
            catalog_sha256 VARCHAR: hash of the catalog's content
            finished_at TIMESTAMP: when the day was finished (UTC)
        """),
        ("day", "run_id"),
    ),
)

#: Views over other views, each with its query in `<name>.sql` next to this file.
VIEWS: tuple[Table, ...] = (
    Table(
        "partner_syncs",
        "view",
        "Which visitors are linked with which partner, which are not, and since when; without those opted out or gone.",
        _columns(f"""
            {_PARTNER}
            device_id VARCHAR: the visitor's platform ID
            is_linked BOOLEAN: whether one of the partner's IDs is linked to it
            since TIMESTAMP: when the first of its links was seen; without one, when the visitor was first seen
            last_seen TIMESTAMP: when a link, or without one the visitor, was last seen
        """),
        ("partner", "device_id"),
    ),
    Table(
        "outliers",
        "view",
        "Days on which a source's volume or match rate left the band of its own history; needs 7 earlier deliveries.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            dpid BIGINT: data source of the user IDs
            figure VARCHAR: records_received, or match_rate (per cent of the IDs that could match)
            value DOUBLE: what it was on the day
            usual DOUBLE: median of the 28 deliveries before
            low DOUBLE: lower end of the band
            high DOUBLE: upper end of the band
        """),
        ("day", "partner", "dpid", "figure"),
    ),
    Table(
        "partner_rhythms",
        "view",
        "How often each partner delivers, and whether it is due: learned from the days its files are for, needs 5 of them.",
        _columns(f"""
            {_PARTNER}
            gaps_known BIGINT: gaps between days with files, of the last 28
            last_day DATE: latest day with files
            usual_gap BIGINT: days that nine of ten gaps do not exceed; null while too little is known
            next_day DATE: day for which files are due; null while too little is known
            is_missing BOOLEAN: whether that day is over and closed, and nothing came
        """),
        ("partner",),
    ),
    Table(
        "onboarding_status",
        "view",
        "What became of every file, as of the day it came in (INB-141): records kept for a later link count as unmatched.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the file
            {_BATCH}
            family VARCHAR: data or id_sync; null when the name was refused
            dpid BIGINT: data source of the user IDs (data) or of the first column (sync)
            target BIGINT: data source whose traits a data file may change
            status VARCHAR: accepted, refused, duplicate, held or retracted
            reject_reason VARCHAR: code of the refusal
            records_received BIGINT: non-blank lines
            records_processed BIGINT: received less lines over a limit
            stored_records BIGINT: success: records that changed something
            format_errors BIGINT: failure: lines that break the grammar
            invalid_aam_id BIGINT: failure: user ID is not a platform ID
            invalid_device_id BIGINT: failure: user ID is no ID of its device namespace
            no_trait_realized BIGINT: failure: records that add and remove no valid trait
            no_matching_aam_id BIGINT: neither: IDs without a link to a device
            opted_out BIGINT: neither: the user or all its devices opted out
            percent_success DOUBLE: 100 * stored / received; 0 if nothing was received (INB-142)
            total_unused_signals BIGINT: unused signals of stored records (INB-129)
            total_realized_traits BIGINT: traits added, per record
        """),
        ("day", "partner", "file", "batch", "status"),
    ),
    Table(
        "match_rates",
        "view",
        "How well the IDs of each source matched on the day its files came in, and how that compares with the four weeks before.",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            dpid BIGINT: data source of the user IDs
            records BIGINT: records whose ID is well formed and not opted out
            matched BIGINT: those whose ID belongs to a profile
            match_rate DOUBLE: 100 * matched / records; null without records
            days_known INTEGER: days of the 28 before that have a rate
            usual_rate DOUBLE: median rate of those days; null without any
            trend DOUBLE: match_rate less usual_rate, in percentage points
            usual_records BIGINT: median of their records
        """),
        ("day", "partner", "dpid"),
    ),
    Table(
        "error_samples",
        "view",
        "The first ten lines of each file and kind of error of the last 14 days, IDs and values masked (INB-143 to INB-145).",
        _columns(f"""
            {_DAY}
            {_PARTNER}
            file VARCHAR: key of the file
            line_no BIGINT: physical line, from 1
            reason VARCHAR: reason code
            sample VARCHAR: the line with IDs and values masked
            dpid BIGINT: data source of the user IDs
            expected VARCHAR: what an ID of that device namespace looks like, where one was invalid
        """),
        ("day", "file", "line_no"),
    ),
)

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}


def stored_tables() -> list[tuple[str, str, tuple[Column, ...]]]:
    """(name, comment, columns) of every table that exists in the lake: a state is stored as base and change sets."""
    as_of = Column("as_of", "DATE", "the end of this day")
    day = Column("day", "DATE", "business day of the change (UTC)")
    change = (
        Column("change", "VARCHAR", "added, renewed or removed"),
        Column("reason", "VARCHAR", "why it was removed"),
    )
    stored: list[tuple[str, str, tuple[Column, ...]]] = []
    for table in TABLES:
        if table.kind == "state":
            stored.append((f"{table.name}_base", f"Base of {table.name}.", (as_of, *table.columns)))
            stored.append((table.changes, f"What changed in {table.name} on each day.", (day, *table.columns, *change)))
        else:
            stored.append((table.name, table.comment, table.columns))
    return stored
