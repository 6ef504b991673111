#include "accounts/slow_down.h"

#include <catch2/catch.hpp>

#include "accounts/login_cache.h"

using accounts::LoginCache;
using accounts::SlowDown;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr SlowDown::Limits kLimits{.per_address = 3, .per_account = 5, .longest = seconds(60)};
const SlowDown::Time kStart = SlowDown::Time() + hours(1000);

}  // namespace

TEST_CASE("an address is slowed down after its limit, twice as long each time") {
  SlowDown slow;
  SlowDown::Time now = kStart;
  const SlowDown::Who who{"192.0.2.1", "1"};
  for (int delay : {0, 0, 1, 2, 4, 8, 16, 32, 60, 60}) {
    slow.failed(who, kLimits, now);
    CHECK(slow.wait(who, kLimits, now) == seconds(delay));
    // The address as a whole, other accounts too; other addresses not.
    CHECK(slow.wait({"192.0.2.1", "2"}, kLimits, now) == seconds(delay));
    CHECK(slow.wait({"192.0.2.2", "2"}, kLimits, now) == seconds(0));
    now += seconds(delay);
    CHECK(slow.wait(who, kLimits, now) == seconds(0));
  }
  CHECK(slow.wait(who, kLimits, now + hours(2)) == seconds(0));
  slow.failed(who, kLimits, now + hours(2));  // forgotten: it begins anew
  CHECK(slow.wait(who, kLimits, now + hours(2)) == seconds(0));
}

TEST_CASE("an account is slowed down for strangers, never for those it knows") {
  SlowDown slow;
  for (int i = 0; i < 8; ++i) slow.failed({"192.0.2." + std::to_string(i), "1"}, kLimits, kStart);
  CHECK(slow.wait({"198.51.100.1", "1"}, kLimits, kStart) == seconds(8));
  CHECK(slow.wait({"198.51.100.1", "1", true}, kLimits, kStart) == seconds(0));
  CHECK(slow.wait({"198.51.100.1", "2"}, kLimits, kStart) == seconds(0));
  // Colleagues behind one address do not shut each other out.
  for (int i = 0; i < 8; ++i) slow.failed({"203.0.113.1", "9"}, kLimits, kStart);
  CHECK(slow.wait({"203.0.113.1", "1", true}, kLimits, kStart) == seconds(0));
}

TEST_CASE("a known pair is slowed down for its own failures, and forgiven when it is right") {
  SlowDown slow;
  const SlowDown::Who known{"192.0.2.1", "1", true};
  for (int i = 0; i < 5; ++i) slow.failed(known, kLimits, kStart);
  CHECK(slow.wait(known, kLimits, kStart) == seconds(1));
  slow.succeeded(known);
  CHECK(slow.wait(known, kLimits, kStart) == seconds(0));
  // Having one account does not clear the address for guessing others.
  CHECK(slow.wait({"192.0.2.1", "2"}, kLimits, kStart) == seconds(4));
}

TEST_CASE("slowing down takes bounded memory") {
  SlowDown slow(100);
  for (int i = 0; i < 1000; ++i) slow.failed({std::to_string(i), std::to_string(i)}, kLimits, kStart);
  CHECK(slow.entries() == 100);
  for (int i = 0; i < 3; ++i) slow.failed({"new", "new"}, kLimits, kStart);
  CHECK(slow.wait({"new", "x"}, kLimits, kStart) == seconds(1));
}

TEST_CASE("the cache hits for the same account, hash and password, for a while") {
  LoginCache cache(po::messages::Key{}, 3);
  std::string name = cache.name(1, 7, "$hash", "secret");
  CHECK_FALSE(cache.hit(name, kStart));
  cache.put(name, kStart);
  CHECK(cache.hit(name, kStart));
  for (const std::string& other : {cache.name(2, 7, "$hash", "secret"), cache.name(1, 8, "$hash", "secret"),
                                   cache.name(1, 7, "$hashs", "ecret"), cache.name(1, 7, "$hash", "Secret")})
    CHECK_FALSE(cache.hit(other, kStart));
  SlowDown::Time now = kStart;
  for (; now < kStart + LoginCache::kLongest; now += minutes(10)) CHECK(cache.hit(name, now));
  CHECK_FALSE(cache.hit(name, now + minutes(10)));
  cache.put(name, now);
  CHECK_FALSE(cache.hit(name, now + minutes(16)));
  cache.put(name, now);
  for (int i = 0; i < 3; ++i) cache.put(std::to_string(i), now);
  CHECK_FALSE(cache.hit(name, now));
}
