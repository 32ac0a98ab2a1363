-- An object lies at one upstream alone: calls that name it must go there.
alter table upstream_object add column upstream text not null default '';

-- Whether what one project created is closed to the others.
alter table organization add column separate_projects boolean not null default false;
