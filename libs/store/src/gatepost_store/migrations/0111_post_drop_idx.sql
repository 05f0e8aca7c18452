-- migrate:up
-- Places stand in audit_leaf now.
ALTER TABLE audit_record DROP COLUMN idx;
