-- The label of the character set that the channel had for a message that names none (MSH-18 empty); NULL: UTF-8.
ALTER TABLE entries ADD COLUMN charset TEXT;
