-- What brands and the operator want per app is told as one message. It raised the version of every link it concerns, in one statement, which
-- met the statement limit with millions of links. Every process now holds the wishes themselves, beside the links, and reads them anew.
drop trigger visit_ways_insert_touches_links on visit_ways;
drop trigger visit_ways_update_touches_links on visit_ways;
drop trigger visit_ways_delete_touches_links on visit_ways;
drop function touch_links_of_visit_ways();

create function announce_visit_ways() returns trigger language plpgsql as $$
begin
  -- Equal messages of one transaction are sent once, by the rules of Postgres.
  perform pg_notify('links_changed', 'ways');
  return null;
end $$;
create trigger visit_ways_announce after insert or update or delete on visit_ways for each row execute function announce_visit_ways();
