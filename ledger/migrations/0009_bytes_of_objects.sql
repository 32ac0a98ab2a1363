-- What of an organization's is kept upstream, in bytes: its files, the parts of uploads, the files in containers.
-- `within` is the object that it goes with: an upload, a container. An object that was deleted, or has expired, stays
-- its owner's. `place` and `deleted_place` are those of the records that told of it, in their stream.
alter table upstream_object
    add column bytes bigint not null default 0 check (bytes >= 0),
    add column within text,
    add column expires_at timestamptz,
    add column place bigint,
    add column deleted_at timestamptz,
    add column deleted_place bigint;
create index on upstream_object (organization_id) include (bytes) where bytes > 0;
create index on upstream_object (within) where within is not null;
