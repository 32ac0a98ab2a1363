-- What the project of a line is called on the document; `project` is its id.
alter table invoice_line add column project_name text;
