-- What somebody decided to charge or, below zero, to give back; on the invoice of the time that `at` lies in.
create table adjustment (
    id               text primary key,
    organization_id  text not null references organization,
    at               timestamptz not null,
    amount           numeric(18, 2) not null,
    currency         text not null check (currency in ('EUR', 'USD')),
    reason           text not null check (length(reason) between 1 and 200),
    created_at       timestamptz not null default now()
);
create index on adjustment (organization_id, at);
