-- How a function on AWS Lambda is invoked, as JSON; NULL for endpoints over HTTP. Immutable once released: a change is the next numbered
-- file.
ALTER TABLE deployment ADD COLUMN lambda TEXT;
