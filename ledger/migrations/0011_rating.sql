-- What rating needs: terms of plans as they were at each time, terms beyond the price of tokens, and of each record's
-- price the part that is for tokens.

-- A plan's terms, each from valid_from until the next; as the console's API has them, money as decimal strings.
create table plan_terms (
    plan_id     text not null references plan,
    valid_from  timestamptz not null,
    terms       jsonb not null,
    primary key (plan_id, valid_from)
);
insert into plan_terms (plan_id, valid_from, terms)
select id, created_at,
       to_jsonb(plan) - array['id', 'created_at', 'updated_at']
       || jsonb_build_object('monthly_price', monthly_price::text, 'yearly_price', yearly_price::text,
                             'price_per_request', price_per_request::text)
  from plan;

alter table plan
    add column trial_days           integer not null default 0 check (trial_days >= 0),
    add column setup_fee            numeric(18, 6) not null default 0 check (setup_fee >= 0),
    add column minimum_spend        numeric(18, 6) not null default 0 check (minimum_spend >= 0),
    add column volume_discounts     jsonb not null default '[]',
    add column overage_price        jsonb,
    add column stream_minute_price  numeric(18, 6) not null default 0 check (stream_minute_price >= 0),
    add column traffic_gb_price     numeric(18, 6) not null default 0 check (traffic_gb_price >= 0),
    add column sla                  jsonb;

-- trial_ends_at: until then nothing is charged.
alter table subscription
    add column billing_interval  text not null default 'month' check (billing_interval in ('month', 'year')),
    add column period_anchor     text not null default 'calendar' check (period_anchor in ('calendar', 'anniversary')),
    add column trial_ends_at     timestamptz check (trial_ends_at > starts_at);

-- Of records that were made before the parts were told, all of the price is for tokens if there are any: tokens that a
-- plan includes are waived, so that is to the customer's good.
alter table usage add column price_nano_tokens bigint not null default 0;
update usage set price_nano_tokens = price_nano where price_nano <> 0 and input_tokens + output_tokens > 0;
