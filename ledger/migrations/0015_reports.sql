-- Reports that are made and sent at each turn of a day, week or month on the calendar of whose they are. Without an
-- organization they are of all. `recipients`: who gets them, null for those in charge. `done_until` is the end of the
-- last span that was reported.
create table report_schedule (
    id               text primary key,
    organization_id  text references organization,
    template         text not null,
    format           text not null,
    language         text not null check (language in ('fr', 'en')),
    cadence          text not null check (cadence in ('day', 'week', 'month')),
    filters          jsonb not null,
    recipients       text[],
    done_until       timestamptz not null,
    created_at       timestamptz not null default now()
);
create index on report_schedule (created_at, id);

-- What was found out about an organization's usage: of one kind and key once, brought up to date while it holds.
-- `saving` is per month, in `currency`.
create table insight (
    id               text primary key,
    organization_id  text not null references organization,
    kind             text not null,
    key              text not null,
    facts            jsonb not null,
    saving           numeric(18, 2) check (saving >= 0),
    currency         text check (currency in ('EUR', 'USD')),
    found_at         timestamptz not null,
    seen_at          timestamptz not null,
    ended_at         timestamptz,
    unique (organization_id, kind, key)
);
create index on insight (found_at, id);
create index on insight (organization_id, found_at, id);
