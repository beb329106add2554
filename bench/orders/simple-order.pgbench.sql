\set key random(1, 9000000000000000)
\set k random(0, :clicks - 1)
\set store :k % :products % :stores
\set at :since + :k % 600000
select bench_simple_order(:store, :key, 'B' || lpad(:k::text, 37, '0'), to_timestamp(:at));
