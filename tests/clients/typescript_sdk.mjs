// The v4 API's official client for TypeScript: zones, records, monitors, pools and load balancers, with the bodies of its
// own documentation. Its arguments: the module. Prints a line of JSON for each step: [what, value]; the test beside this
// file says what each must be.
import { execFileSync } from "node:child_process";

const { default: Cloudflare } = await import(process.argv[2]);
const client = new Cloudflare({ maxRetries: 0 });
const say = (what, value) => console.log(JSON.stringify([what, value]));
const dig = (name, type) =>
  execFileSync("dig", ["@127.0.0.1", "+short", name, type]).toString().split("\n").filter(Boolean).sort();
const all = async (pages) => {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
};

const account_id = (await all(client.accounts.list()))[0].id;
const zone = await client.zones.create({ account: { id: account_id }, name: "ts.example", type: "full" });
const zone_id = zone.id;
say("zones by name", (await all(client.zones.list({ name: "ts.example", per_page: 1 }))).map((one) => one.id === zone_id));

const { monitors, pools, monitorGroups } = client.loadBalancers;
const monitor = await monitors.create({
  account_id,
  type: "https",
  description: "Login page monitor",
  method: "GET",
  path: "/health",
  header: { Host: ["example.com"], "X-App-ID": ["abc123"] },
  port: 8080,
  timeout: 3,
  retries: 0,
  interval: 90,
  expected_body: "alive",
  expected_codes: "2xx",
  follow_redirects: true,
  allow_insecure: true,
  consecutive_up: 3,
  consecutive_down: 2,
  probe_zone: "example.com",
});
say("monitor", [monitor.type, monitor.header, monitor.probe_zone]);
await monitors.edit(monitor.id, { account_id, path: "/alive" });
say("monitors", (await all(monitors.list({ account_id }))).map((one) => [one.id === monitor.id, one.path]));

const origins = [{ name: "one", address: "192.0.2.1", enabled: true, weight: 0.6, header: { Host: ["example.com"] } }];
const made = {
  account_id,
  description: "Primary data center - Provider XYZ",
  enabled: true,
  minimum_origins: 1,
  load_shedding: { default_percent: 0, default_policy: "random", session_percent: 0, session_policy: "hash" },
  notification_filter: { origin: { disable: true, healthy: null }, pool: { disable: true, healthy: null } },
  origin_steering: { policy: "random" },
  networks: ["cloudflare"],
};
const first = await pools.create({ ...made, name: "first", origins });
const second = await pools.create({ account_id, name: "second", origins: [{ name: "two", address: "192.0.2.2" }] });
say("pools", (await all(pools.list({ account_id }))).map((one) => [one.name, one.origins[0].address]));
await pools.edit(first.id, { account_id, description: "edited" });
say("pool", (await pools.get(first.id, { account_id })).description);
say("health", (await pools.health.get(first.id, { account_id })).pool_id === first.id);
const members = [{ monitor_id: monitor.id, enabled: true, monitoring_only: false, must_be_healthy: true }];
const group = await monitorGroups.create({ account_id, id: "ignored", description: "group", members });
say("group", group.members.length);
await monitorGroups.delete(group.id, { account_id });

const balancer = await client.loadBalancers.create({
  zone_id,
  name: "www.ts.example",
  default_pools: [first.id],
  fallback_pool: second.id,
  description: "Load Balancer for www.example.com",
  steering_policy: "random",
  adaptive_routing: { failover_across_pools: true },
  location_strategy: { mode: "resolver_ip", prefer_ecs: "always" },
  random_steering: { default_weight: 0.2, pool_weights: { [second.id]: 0.3 } },
  region_pools: { WNAM: [first.id] },
  country_pools: { GB: [first.id] },
  pop_pools: { LAX: [first.id] },
  networks: ["cloudflare"],
  ttl: 30,
});
say("balancer", [balancer.name, dig("www.ts.example", "A")]);
await client.loadBalancers.edit(balancer.id, { zone_id, default_pools: [second.id], steering_policy: "off" });
say("balancer edited", dig("www.ts.example", "A"));
say("balancers", (await all(client.loadBalancers.list({ zone_id }))).map((one) => one.name));
say("references", (await all(pools.references.get(second.id, { account_id }))).map((one) => one.resource_type));
const refused = await pools.delete(second.id, { account_id }).catch((error) => [error.status, error.errors[0].code]);
say("in use", refused);

const { records } = client.dns;
const record = await records.create({ zone_id, type: "A", name: "a.ts.example", content: "192.0.2.7", ttl: 300 });
say("record", [record.content, dig("a.ts.example", "A")]);
await records.edit(record.id, { zone_id, type: "A", name: "a.ts.example", content: "192.0.2.8", ttl: 300 });
say("record edited", dig("a.ts.example", "A"));
const data = { priority: 10, weight: 5, port: 5060, target: "sip.ts.example" };
await records.create({ zone_id, type: "SRV", name: "_sip._tcp.ts.example", ttl: 1, data });
say("record of parts", dig("_sip._tcp.ts.example", "SRV"));
await records.create({ zone_id, type: "TXT", name: "@", content: "v=spf1 -all", ttl: 1 });
const texts = await all(records.list({ zone_id, type: "TXT", content: { exact: "v=spf1 -all" }, per_page: 5 }));
say("text", texts.map((one) => one.content));
const done = await records.batch({
  zone_id,
  deletes: [{ id: record.id }],
  posts: [
    { type: "A", name: "b", content: "192.0.2.20", ttl: 1 },
    { type: "TXT", name: "b", content: "hello", ttl: 1 },
  ],
});
say("batch", [done.posts.length, dig("a.ts.example", "A"), dig("b.ts.example", "A"), dig("b.ts.example", "TXT")]);
const again = await records
  .create({ zone_id, type: "A", name: "b.ts.example", content: "192.0.2.20", ttl: 1 })
  .catch((error) => [error.status, error.errors[0].code]);
say("identical", again);
await records.import({ zone_id, file: new File(["imported 300 IN A 192.0.2.33\n"], "zone.txt") });
say("imported", dig("imported.ts.example", "A"));
say("exported", /imported\S*\s+300\s+IN\s+A\s+192\.0\.2\.33/.test(await records.export({ zone_id })));

await client.loadBalancers.delete(balancer.id, { zone_id });
for (const pool of [first, second]) await pools.delete(pool.id, { account_id });
await monitors.delete(monitor.id, { account_id });
await client.zones.delete({ zone_id });
say("left", [(await all(client.zones.list({ name: "ts.example" }))).length, (await all(pools.list({ account_id }))).length]);
