-- Calls whose work goes on at the provider after they were answered. A row goes when the call's usage is stored.
-- work is what the proxy wrote down to settle by, in its own form.
create table deferred_call (
    request_id       text primary key,
    occurred_at      timestamptz not null,
    id               text not null,
    kind             text not null,
    organization_id  text not null,
    upstream         text not null,
    work             bytea not null,
    begun_at         timestamptz not null default now(),
    look_at          timestamptz not null default now()
);
create index on deferred_call (look_at);
