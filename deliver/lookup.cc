#include "deliver/lookup.h"

#include <fmt/format.h>

#include <utility>

#include "lib/text.h"

namespace deliver {

using po::DnsAnswer;
using po::DnsStatus;
using po::DnsType;

Lookup::Lookup(po::Resolver& resolver, const OwnHost& own, const Chance& chance, po::messages::NextHop hop)
    : resolver_(resolver), own_(own), chance_(chance), hop_(std::move(hop)) {}

void Lookup::start(OnDone on_done) {
  on_done_ = std::move(on_done);
  if (auto literal = parse_literal(hop_.host)) {
    return done(choose_hosts(hop_, false, {{hop_.host, 0, false, {*literal}}}, own_, chance_));
  }
  if (!hop_.by_mx) return ask_addresses(false, {{hop_.host, 0, false, {}}});
  questions_.push_back(
      resolver_.resolve(hop_.host, DnsType::kMx, [this](const DnsAnswer& a) { on_exchangers(a); }));
}

void Lookup::on_exchangers(const DnsAnswer& answer) {
  std::string domain = po::for_display(hop_.host, 255);
  if (answer.status == DnsStatus::kTemporary) {
    return done({{},
                 NoHost{po::Kind::kTemporary, "4.4.3",
                        fmt::format("DNS does not say who takes mail for {}", domain)}});
  }
  if (answer.status == DnsStatus::kNotFound) return ask_addresses(false, {{hop_.host, 0, false, {}}});
  Exchangers mx = order_exchangers(domain, answer.exchangers, own_, chance_);
  if (mx.none) return done({{}, std::move(mx.none)});
  ask_addresses(true, std::move(mx.hosts));
}

void Lookup::ask_addresses(bool from_mx, std::vector<Candidate> candidates) {
  from_mx_ = from_mx;
  candidates_ = std::move(candidates);
  open_ = 2 * candidates_.size();
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    for (DnsType type : {DnsType::kA, DnsType::kAaaa}) {
      questions_.push_back(resolver_.resolve(candidates_[i].name, type,
                                             [this, i](const DnsAnswer& a) { on_addresses(i, a); }));
    }
  }
}

void Lookup::on_addresses(std::size_t candidate, const DnsAnswer& answer) {
  Candidate& c = candidates_[candidate];
  if (answer.status == DnsStatus::kTemporary) c.failed = true;
  c.addresses.insert(c.addresses.end(), answer.addresses.begin(), answer.addresses.end());
  if (--open_ > 0) return;
  done(choose_hosts(hop_, from_mx_, std::move(candidates_), own_, chance_));
}

void Lookup::done(HostList hosts) {
  auto on_done = std::move(on_done_);
  on_done(std::move(hosts));
}

}  // namespace deliver
