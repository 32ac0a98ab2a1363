-- A member may be held to less than its organization is.
alter table member add column limits jsonb not null default '{}';

-- Tokens bought on top of a plan, for the periods that they are valid in. Half-open, as all periods are.
create table token_pack (
    id               text primary key,
    organization_id  text not null references organization,
    tokens           bigint not null check (tokens > 0),
    price            numeric(18, 6) not null default 0 check (price >= 0),
    currency         text not null check (currency in ('EUR', 'USD')),
    note             text,
    starts_at        timestamptz not null,
    ends_at          timestamptz not null check (ends_at > starts_at),
    created_at       timestamptz not null default now()
);
create index on token_pack (organization_id, starts_at);
