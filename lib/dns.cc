#include "lib/dns.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>

#include "lib/address.h"
#include "lib/dns_cache.h"
#include "lib/dns_exchange.h"
#include "lib/dns_hosts.h"
#include "lib/net_address.h"
#include "lib/text.h"

namespace po {

using messages::NetAddress;

namespace {

constexpr std::uint16_t kDnsPort = 53;
/// A client whose address has more names gains nothing by them.
constexpr std::size_t kNamesTried = 5;

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<NetAddress> parse_dns_server(std::string_view text) {
  std::optional<std::uint16_t> port = kDnsPort;
  if (text.starts_with('[')) {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    std::string_view behind = text.substr(close + 1);
    if (behind.starts_with(':'))
      port = parse_port(behind.substr(1));
    else if (!behind.empty())
      return std::nullopt;
    text = text.substr(1, close - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    std::size_t colon = text.find(':');
    port = parse_port(text.substr(colon + 1));
    text = text.substr(0, colon);
  }
  auto address = parse_address(text);
  if (!address || !port) return std::nullopt;
  address->port = *port;
  return address;
}

/// What a DnsQuestion owns: while it lives, somebody waits.
struct Waiter {
  Resolver::OnAnswer callback;
};

}  // namespace

Result<std::vector<NetAddress>> parse_dns_servers(const std::vector<std::string>& texts) {
  std::vector<NetAddress> servers;
  for (const std::string& text : texts) {
    auto server = parse_dns_server(text);
    if (!server) {
      return permanent(fmt::format("\"{}\" is no DNS server: an IP number, or NUMBER:PORT, or [NUMBER]:PORT",
                                   for_display(text)));
    }
    servers.push_back(*server);
  }
  return servers;
}

std::string read_hosts_file() {
  std::ifstream in("/etc/hosts", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Result<ResolverOptions> read_resolver_options(const std::vector<std::string>& servers) {
  auto parsed = parse_dns_servers(servers);
  if (!parsed) return tl::unexpected(parsed.error());
  ResolverOptions options;
  options.servers = std::move(*parsed);
  options.hosts = read_hosts_file();
  return options;
}

/// Callbacks of users run from deliver() alone, so that nothing else here need expect to be destroyed or
/// called again in the middle.
struct Resolver::Impl : std::enable_shared_from_this<Resolver::Impl> {
  using Key = DnsCache::Key;
  struct Pending {
    std::unique_ptr<DnsExchange> exchange;
    std::vector<std::weak_ptr<Waiter>> waiters;
  };

  Impl(const Loop& l, ResolverOptions o)
      : loop(l), options(std::move(o)), hosts(options.hosts), cache(options.cache_octets) {
    options.hosts.clear();
    options.concurrent = std::max<std::size_t>(options.concurrent, 1);
  }

  void close() {
    closed = true;
    due.cancel();
    ready.clear();
    queue.clear();
    pending.clear();
    ended.clear();
  }

  DnsQuestion answer_later(const std::shared_ptr<Waiter>& waiter, DnsAnswer answer) {
    ready.emplace_back(waiter, std::move(answer));
    wake();
    return DnsQuestion(waiter);
  }

  void wake() {
    due.soon(loop, [this] { deliver(); });
  }

  DnsQuestion ask(Key key, OnAnswer on_answer) {
    auto waiter = std::make_shared<Waiter>(Waiter{std::move(on_answer)});
    if (auto cached = cache.find(key, DnsCache::Clock::now()))
      return answer_later(waiter, std::move(*cached));
    if (options.servers.empty()) return answer_later(waiter, {DnsStatus::kNotFound, {}, {}});
    auto at = pending.find(key);
    if (at == pending.end()) {
      if (pending.size() >= options.concurrent + options.waiting) {
        return answer_later(waiter, {DnsStatus::kTemporary, {}, {}});
      }
      at = pending.emplace(key, Pending{make_exchange(key), {}}).first;
      queue.push_back(std::move(key));
      wake();
    }
    at->second.waiters.push_back(waiter);
    return DnsQuestion(waiter);
  }

  std::unique_ptr<DnsExchange> make_exchange(const Key& key) {
    return std::make_unique<DnsExchange>(
        loop, options.servers, DnsExchange::Question{key.first, key.second}, options.time_limit,
        [this, key](DnsAnswer answer, std::chrono::seconds ttl, std::size_t server) {
          on_done(key, std::move(answer), ttl, server);
        });
  }

  void on_done(const Key& key, DnsAnswer answer, std::chrono::seconds ttl, std::size_t server) {
    auto at = pending.find(key);
    if (at->second.exchange->started()) --active;
    if (answer.status != DnsStatus::kTemporary) preferred = server;
    for (auto& waiter : at->second.waiters) ready.emplace_back(std::move(waiter), answer);
    cache.put(key, std::move(answer), ttl, DnsCache::Clock::now());
    ended.push_back(std::move(at->second.exchange));
    pending.erase(at);
    wake();
  }

  void start_waiting() {
    while (!queue.empty() && active < options.concurrent) {
      Key key = std::move(queue.front());
      queue.pop_front();
      auto at = pending.find(key);
      // It may have run out of time in the queue, and been asked and started anew.
      if (at == pending.end() || at->second.exchange->started()) continue;
      const auto& waiters = at->second.waiters;
      if (std::all_of(waiters.begin(), waiters.end(), [](const auto& w) { return w.expired(); })) {
        pending.erase(at);
        continue;
      }
      ++active;
      at->second.exchange->start(preferred);
    }
  }

  void deliver() {
    auto self = shared_from_this();
    ended.clear();
    start_waiting();
    auto batch = std::move(ready);
    ready.clear();
    for (auto& [weak, answer] : batch) {
      if (closed) return;
      auto waiter = weak.lock();
      if (!waiter || !waiter->callback) continue;
      OnAnswer callback = std::exchange(waiter->callback, {});
      waiter.reset();
      callback(answer);
    }
  }

  DnsQuestion reverse(const NetAddress& address, OnAnswer on_answer) {
    if (auto known = hosts.reverse(address)) {
      return answer_later(std::make_shared<Waiter>(Waiter{std::move(on_answer)}), std::move(*known));
    }
    return ask({reverse_name(address), DnsType::kPtr}, std::move(on_answer));
  }

  DnsQuestion resolve(std::string_view name, DnsType type, OnAnswer on_answer) {
    std::optional<DnsAnswer> known = DnsAnswer{DnsStatus::kNotFound, {}, {}};
    if (is_host_name(name)) known = hosts.find(name, type);
    if (known) return answer_later(std::make_shared<Waiter>(Waiter{std::move(on_answer)}), std::move(*known));
    return ask({ascii_lower(name), type}, std::move(on_answer));
  }

  const Loop& loop;
  ResolverOptions options;
  HostsFile hosts;
  DnsCache cache;
  Event due;
  bool closed = false;
  std::size_t active = 0, preferred = 0;
  std::map<Key, Pending> pending;
  std::deque<Key> queue;                            ///< not started yet, oldest first
  std::vector<std::unique_ptr<DnsExchange>> ended;  ///< their callbacks may still be on the stack
  std::deque<std::pair<std::weak_ptr<Waiter>, DnsAnswer>> ready;
};

namespace {

/// The steps of confirmed_name(); owned by the DnsQuestion that was given out.
template <class Asker>
struct Confirmation : std::enable_shared_from_this<Confirmation<Asker>> {
  Confirmation(Asker& a, const NetAddress& c, Resolver::OnName f)
      : asker(a), client(c), on_name(std::move(f)) {}

  void start() {
    question = asker.reverse(client, [this](const DnsAnswer& answer) {
      if (answer.status != DnsStatus::kOk) return done(answer.status, "");
      for (const std::string& n : answer.names) {
        if (names.size() < kNamesTried && std::find(names.begin(), names.end(), n) == names.end())
          names.push_back(n);
      }
      next();
    });
  }

  void next() {
    if (tried == names.size()) return done(temporary ? DnsStatus::kTemporary : DnsStatus::kNotFound, "");
    DnsType type = client.family == 4 ? DnsType::kA : DnsType::kAaaa;
    question = asker.resolve(names[tried], type, [this](const DnsAnswer& answer) {
      if (answer.status == DnsStatus::kTemporary) temporary = true;
      bool agrees = std::any_of(answer.addresses.begin(), answer.addresses.end(),
                                [this](const NetAddress& a) { return same_host(a, client); });
      if (agrees) return done(DnsStatus::kOk, names[tried]);
      ++tried;
      next();
    });
  }

  void done(DnsStatus status, std::string name) {
    auto self = this->shared_from_this();  // the callback may destroy the question that owns us
    auto callback = std::exchange(on_name, {});
    callback(status, name);
  }

  Asker& asker;
  NetAddress client;
  Resolver::OnName on_name;
  std::vector<std::string> names;
  std::size_t tried = 0;
  bool temporary = false;
  DnsQuestion question;
};

}  // namespace

Resolver::Resolver(const Loop& loop, ResolverOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

Resolver::~Resolver() {
  impl_->close();
}

DnsQuestion Resolver::resolve(std::string_view name, DnsType type, OnAnswer on_answer) {
  return impl_->resolve(name, type, std::move(on_answer));
}

DnsQuestion Resolver::reverse(const NetAddress& address, OnAnswer on_answer) {
  return impl_->reverse(address, std::move(on_answer));
}

DnsQuestion Resolver::confirmed_name(const NetAddress& address, OnName on_name) {
  auto c = std::make_shared<Confirmation<Impl>>(*impl_, address, std::move(on_name));
  c->start();
  return DnsQuestion(std::move(c));
}

}  // namespace po
