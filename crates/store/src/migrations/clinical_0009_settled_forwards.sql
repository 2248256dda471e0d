-- Delivered forwards by age, for their removal.
CREATE INDEX forwards_delivered ON forwards (settled_us) WHERE state = 1;
