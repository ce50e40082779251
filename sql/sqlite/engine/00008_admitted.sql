-- What the first job of a run needs once and for all has a mark, so that it takes no second one after a crash. Spec 11 §7, §8.3.
-- +goose Up

-- admitted says that the job has its token of the throttle and its run a place among those in progress.
ALTER TABLE ingot_jobs ADD COLUMN admitted INTEGER NOT NULL DEFAULT 0;
