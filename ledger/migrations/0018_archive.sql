-- Files that hold rows which are in `usage` no more: a month of UTC, and a further part where records came after it was
-- archived. `sums` are of every column: values that are not null, and what they add up to (text: bytes).
create table usage_archive (
    month        date not null,
    part         integer not null check (part > 0),
    file         text not null unique,
    rows         bigint not null check (rows > 0),
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    sums         jsonb not null,
    bytes        bigint not null,
    sha256       bytea not null check (length(sha256) = 32),
    archived_at  timestamptz not null default now(),
    primary key (month, part)
);
