-- Exports can be cancelled, and remember what their labels call the product.

ALTER TABLE export DROP CONSTRAINT export_state_check;
ALTER TABLE export ADD CONSTRAINT export_state_check
    CHECK (state IN ('queued', 'running', 'ready', 'failed', 'expired', 'cancelled'));

-- The product's name when the export was asked for: a part that is made again must be the same bytes, whatever the
-- product is called by then. Empty for exports from before there were labels; the program of that time goes on
-- inserting without it.
ALTER TABLE export ADD COLUMN product_name text NOT NULL DEFAULT '' CHECK (char_length(product_name) <= 200);
