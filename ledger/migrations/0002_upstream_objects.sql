-- Who owns what was created upstream: there is one account there for all, so the proxy keeps it.
create table upstream_object (
    id               text primary key,
    kind             text not null,
    organization_id  text not null,
    project_id       text,
    request_id       text not null,
    created_at       timestamptz not null
);
create index on upstream_object (organization_id, kind, created_at);
