\set key random(1, 9000000000000000)
\set k random(0, :clicks - 1)
\set product :k % :products
\set store :product % :stores
\set at :since + :k % 600000
select bench_record_order('str_' || :store, :key, :product, 'B' || lpad(:k::text, 37, '0'), to_timestamp(:at));
