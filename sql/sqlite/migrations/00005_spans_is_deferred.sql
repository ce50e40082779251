-- +goose Up
ALTER TABLE spans ADD COLUMN is_deferred BOOLEAN;
