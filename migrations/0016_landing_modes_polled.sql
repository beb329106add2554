-- Every process reads the overrides of brands and the operator again every four seconds, as it reads the entry domains, so nothing announces them.
drop trigger visit_ways_announce on visit_ways;
drop function announce_visit_ways();

-- Lists of links are sorted by creation time and id. The number of a link is only what click ids carry.
drop index links_influencer_idx;
create index links_influencer_idx on links (influencer_id, created_at desc, id desc);
-- All links, the newest first, for admins.
create index links_created_idx on links (created_at desc, id desc);
