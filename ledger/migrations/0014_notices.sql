-- What people are told by mail. `key` says what it is about: of one kind, an organization is told of it once.
-- Without an organization it goes to the administrators. `facts` are the values that its words are made from.
create table notification (
    id               text primary key,
    kind             text not null,
    organization_id  text references organization,
    key              text not null,
    facts            jsonb not null,
    language         text not null check (language in ('fr', 'en')),
    time_zone        text not null,
    created_at       timestamptz not null default now()
);
create unique index on notification (kind, coalesce(organization_id, ''), key);
create index on notification (created_at, id);
create index on notification (organization_id, created_at, id);

create table notification_attachment (
    notification_id  text not null references notification on delete cascade,
    place            smallint not null,
    name             text not null,
    content_type     text not null,
    content          bytea not null check (length(content) <= 20971520),
    primary key (notification_id, place)
);

-- One mail to one person; null is the administrators' address, a setting. `due_at` is when it may be tried again, null
-- at once; of one being sent it is when its outcome counts as unknown. `round` counts how often it is sent anew.
create table notification_delivery (
    id               text primary key,
    notification_id  text not null references notification on delete cascade,
    recipient        text,
    status           text not null default 'waiting' check (status in ('waiting', 'sending', 'sent', 'kept', 'dead')),
    attempts         integer not null default 0,
    round            integer not null default 0,
    due_at           timestamptz,
    sent_at          timestamptz,
    error            text
);
create index on notification_delivery (notification_id);
create index on notification_delivery (due_at, id) where status in ('waiting', 'sending');

-- What each project keeps upstream, as the daily count found it. No project is ''.
create table project_storage (
    organization_id  text not null references organization,
    project_id       text not null default '',
    bytes            bigint not null check (bytes >= 0),
    objects          bigint not null check (objects >= 0),
    counted_at       timestamptz not null,
    primary key (organization_id, project_id)
);
