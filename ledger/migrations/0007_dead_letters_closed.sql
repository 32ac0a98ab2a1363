-- A dead letter stays after it was stored at last, or discarded: `note` says why, or what stood in the way.
alter table dead_letter
    add column closed_at timestamptz,
    add column closed_as text check (closed_as in ('replayed', 'discarded')),
    add column note text,
    add check ((closed_at is null) = (closed_as is null));
create index on dead_letter (id) where closed_at is null;
