#include "lib/setup_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "lib/dns_packet.h"
#include "lib/net_address.h"
#include "lib/text.h"

namespace po {

using messages::NetAddress;
using Severity = SetupFinding::Severity;

namespace {

bool contains(const std::vector<NetAddress>& list, const NetAddress& address) {
  return std::any_of(list.begin(), list.end(), [&](const NetAddress& a) { return same_host(a, address); });
}

/// RFC 3927; RFC 4291 2.5.6.
bool is_link_local(const NetAddress& a) {
  return (a.family == 4 && a.octets[0] == 169 && a.octets[1] == 254) ||
         (a.family == 6 && a.octets[0] == 0xfe && (a.octets[1] & 0xc0) == 0x80);
}

/// Of IPv4: RFC 1918, 6598; of IPv6: RFC 4193; and the above. Nobody outside reaches these.
bool is_private(const NetAddress& a) {
  const auto& o = a.octets;
  if (is_link_local(a)) return true;
  if (a.family == 4) {
    return o[0] == 10 || (o[0] == 172 && (o[1] & 0xf0) == 16) || (o[0] == 192 && o[1] == 168) ||
           (o[0] == 100 && (o[1] & 0xc0) == 64);
  }
  return a.family == 6 && (o[0] & 0xfe) == 0xfc;
}

std::string address_record(std::string_view name, const NetAddress& a) {
  return fmt::format("{}. IN {} {}", name, a.family == 4 ? "A" : "AAAA", address_text(a));
}

constexpr int kBehind = 20;  ///< preference of a host that takes mail when the first does not answer

/// What a name led to: both kinds of addresses together.
struct Found {
  std::vector<NetAddress> addresses;
  bool unsure = false;  ///< one of both could not be asked
};

}  // namespace

// Each subject has findings of its own, in the order in which it is told; who is last to answer tells all.
// What a callback keeps of the check is weak: one that was let go answers nobody.
struct SetupCheck::Impl : std::enable_shared_from_this<Impl> {
  Impl(Resolver& r, SetupQuestion q, OnDone d) : resolver(r), question(std::move(q)), on_done(std::move(d)) {}

  using Findings = std::vector<SetupFinding>;
  struct Domain {
    std::string name;
    bool relay = false;
    std::vector<MailExchanger> exchangers;
    std::vector<Found> leads;  ///< of each exchanger
    std::size_t open = 0;
  };

  void start();
  void on_host(const Found& found);
  void check_host(const Found& found);
  void check_address(const NetAddress& address);
  void on_reverse(const NetAddress& address, std::size_t at, const DnsAnswer& answer);
  void check_domain(const std::string& name, bool relay);
  void on_exchangers(const std::shared_ptr<Domain>& domain, std::size_t at, const DnsAnswer& answer);
  void judge(const Domain& domain, std::size_t at);
  void judge_without_mx(const Domain& domain, std::size_t at, const Found& found);
  [[nodiscard]] bool leads_here(const MailExchanger& mx, const Found& found) const;
  [[nodiscard]] std::string mx_record(const std::string& domain, int preference = 10) const {
    return fmt::format("{}. IN MX {} {}.", domain, preference, question.hostname);
  }

  void find_addresses(const std::string& name, std::function<void(const Found&)> then);
  void add(std::size_t at, Severity severity, std::string subject, std::string text,
           std::string record = {}) {
    findings[at].push_back({severity, std::move(subject), std::move(text), std::move(record)});
  }
  std::size_t new_place() {
    findings.emplace_back();
    return findings.size() - 1;
  }
  /// Counts a question; the function that is returned counts its answer and ends the check with the last.
  template <class F>
  auto counted(F f) {
    ++open;
    return [weak = weak_from_this(), f = std::move(f)](const auto&... answer) {
      auto self = weak.lock();
      if (!self) return;
      f(answer...);
      if (--self->open == 0) self->finish();
    };
  }
  void finish() {
    Findings all;
    for (Findings& f : findings) std::move(f.begin(), f.end(), std::back_inserter(all));
    questions.clear();
    on_done(std::move(all));
  }

  Resolver& resolver;
  SetupQuestion question;
  OnDone on_done;
  std::vector<DnsQuestion> questions;
  std::vector<Findings> findings;
  std::vector<NetAddress> own;  ///< of the interfaces and of the host's name
  std::size_t open = 0;
};

SetupCheck::SetupCheck(Resolver& resolver, SetupQuestion question, OnDone on_done)
    : impl_(std::make_shared<Impl>(resolver, std::move(question), std::move(on_done))) {
  impl_->start();
}

SetupCheck::~SetupCheck() = default;

void SetupCheck::Impl::find_addresses(const std::string& name, std::function<void(const Found&)> then) {
  struct Both {
    Found found;
    int open = 2;
  };
  auto both = std::make_shared<Both>();
  for (DnsType type : {DnsType::kA, DnsType::kAaaa}) {
    questions.push_back(
        resolver.resolve(name, type, counted([both, then](const DnsAnswer& answer) {
                           both->found.unsure = both->found.unsure || answer.status == DnsStatus::kTemporary;
                           auto& all = both->found.addresses;
                           all.insert(all.end(), answer.addresses.begin(), answer.addresses.end());
                           if (--both->open == 0) then(both->found);
                         })));
  }
}

void SetupCheck::Impl::start() {
  std::erase_if(question.interfaces, [](const NetAddress& a) { return is_loopback(a) || is_link_local(a); });
  question.hostname = ascii_lower(question.hostname);
  auto& domains = question.local_domains;
  std::erase_if(domains, [this](const std::string& d) { return equal_ignoring_case(d, question.hostname); });
  domains.insert(domains.begin(), question.hostname);
  find_addresses(question.hostname, [this](const Found& found) { on_host(found); });
}

// All further questions are asked in here: what leads to this host is known now.
void SetupCheck::Impl::on_host(const Found& found) {
  check_host(found);
  own = question.interfaces;
  for (const NetAddress& a : found.addresses)
    if (!contains(own, a) && !is_loopback(a)) own.push_back(a);
  std::vector<NetAddress> asked;
  for (const NetAddress& a : own)
    if (!is_private(a) || contains(found.addresses, a)) asked.push_back(a);
  for (std::size_t i = 0; i < std::min(asked.size(), kMostAddresses); ++i) check_address(asked[i]);
  if (asked.size() > kMostAddresses) {
    add(new_place(), Severity::kNote, question.hostname,
        fmt::format("this host has {} addresses; the names of the first {} were asked", asked.size(),
                    kMostAddresses));
  }
  std::vector<std::pair<std::string, bool>> domains;
  for (const std::string& d : question.local_domains) domains.emplace_back(ascii_lower(d), false);
  for (const std::string& d : question.relay_domains) domains.emplace_back(ascii_lower(d), true);
  for (std::size_t i = 0; i < std::min(domains.size(), kMostDomains); ++i)
    check_domain(domains[i].first, domains[i].second);
  if (domains.size() > kMostDomains) {
    add(new_place(), Severity::kNote, "domains",
        fmt::format("there are {} domains; the first {} were asked", domains.size(), kMostDomains));
  }
}

// ---- the host

void SetupCheck::Impl::check_host(const Found& found) {
  std::size_t at = new_place();
  const std::string& host = question.hostname;
  if (found.addresses.empty() && found.unsure)
    return add(at, Severity::kNote, host, "the name servers gave no answer; try again later");
  if (found.addresses.empty()) {
    std::string record;
    for (const NetAddress& a : question.interfaces) {
      if (!is_private(a)) record += (record.empty() ? "" : "\n") + address_record(host, a);
    }
    return add(
        at, Severity::kWrong, host,
        "the name of this host has no address record: others cannot reach it, and many refuse its mail",
        record);
  }
  for (const NetAddress& a : found.addresses) {
    std::string address = address_text(a);
    if (is_loopback(a)) {
      add(at, Severity::kWrong, host,
          fmt::format("leads to {}, which every host takes for itself; give the name the address that others "
                      "reach this host by",
                      address));
    } else if (contains(question.interfaces, a)) {
      add(at, Severity::kGood, host, fmt::format("leads to {}, an address of this host", address));
    } else {
      add(at, Severity::kNote, host,
          fmt::format(
              "leads to {}, which is no address of this host; that is right only if connections to it "
              "are forwarded here",
              address));
    }
  }
}

// ---- reverse names

void SetupCheck::Impl::check_address(const NetAddress& address) {
  std::size_t at = new_place();
  auto on_answer = counted([this, address, at](const DnsAnswer& answer) { on_reverse(address, at, answer); });
  questions.push_back(resolver.reverse(address, on_answer));
}

// RFC 1912 2.1: address and name lead to each other. Many servers refuse mail from a host without.
void SetupCheck::Impl::on_reverse(const NetAddress& address, std::size_t at, const DnsAnswer& answer) {
  std::string text = address_text(address);
  std::string record = fmt::format("{}. IN PTR {}.", reverse_name(address), question.hostname);
  if (answer.status == DnsStatus::kTemporary)
    return add(at, Severity::kNote, text, "its reverse name could not be asked; try again later");
  if (answer.names.empty()) {
    return add(
        at, Severity::kWrong, text,
        "has no reverse name: many servers refuse mail from it; whoever gave you the address enters it",
        record);
  }
  std::string first = answer.names.front();
  auto on_name = [this, at, text, record, first](DnsStatus status, const std::string& name) {
    if (status == DnsStatus::kTemporary) {
      add(at, Severity::kNote, text, fmt::format("whether {} leads back to it could not be asked", first));
    } else if (name.empty()) {
      add(at, Severity::kWrong, text,
          fmt::format(
              "has the reverse name {}, which does not lead back to it: many servers refuse mail from "
              "it",
              first),
          record);
    } else if (name == question.hostname) {
      add(at, Severity::kGood, text, fmt::format("has the reverse name {}, which leads back to it", name));
    } else {
      add(at, Severity::kNote, text,
          fmt::format("has the reverse name {}; it leads back to it, but this host says that it is {}", name,
                      question.hostname),
          record);
    }
  };
  questions.push_back(resolver.confirmed_name(address, counted(on_name)));
}

// ---- domains

void SetupCheck::Impl::check_domain(const std::string& name, bool relay) {
  std::size_t at = new_place();
  auto domain = std::make_shared<Domain>();
  domain->name = name;
  domain->relay = relay;
  questions.push_back(resolver.resolve(
      name, DnsType::kMx,
      counted([this, domain, at](const DnsAnswer& answer) { on_exchangers(domain, at, answer); })));
}

void SetupCheck::Impl::on_exchangers(const std::shared_ptr<Domain>& domain, std::size_t at,
                                     const DnsAnswer& answer) {
  if (answer.status == DnsStatus::kTemporary)
    return add(at, Severity::kNote, domain->name, "its MX records could not be asked; try again later");
  if (answer.status == DnsStatus::kNotFound) {
    return find_addresses(domain->name,
                          [this, domain, at](const Found& found) { judge_without_mx(*domain, at, found); });
  }
  domain->exchangers = answer.exchangers;
  auto& list = domain->exchangers;
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.preference < b.preference; });
  if (list.size() > kMostExchangers) list.resize(kMostExchangers);
  domain->leads.resize(list.size());
  domain->open = list.size();
  if (list.empty()) {
    return add(at, Severity::kWrong, domain->name, "its MX records name no legal host: it gets no mail",
               mx_record(domain->name));
  }
  if (list.front().name == ".") {  // RFC 7505
    return add(at, Severity::kWrong, domain->name, "its MX record says that it takes no mail at all",
               mx_record(domain->name));
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    find_addresses(list[i].name, [this, domain, at, i](const Found& found) {
      domain->leads[i] = found;
      if (--domain->open == 0) judge(*domain, at);
    });
  }
}

bool SetupCheck::Impl::leads_here(const MailExchanger& mx, const Found& found) const {
  return mx.name == question.hostname ||
         std::any_of(found.addresses.begin(), found.addresses.end(),
                     [this](const NetAddress& a) { return contains(own, a); });
}

void SetupCheck::Impl::judge(const Domain& domain, std::size_t at) {
  std::optional<std::uint16_t> ours;
  bool unsure = false;
  std::string names;
  for (std::size_t i = 0; i < domain.exchangers.size(); ++i) {
    const MailExchanger& mx = domain.exchangers[i];
    const Found& found = domain.leads[i];
    names += (names.empty() ? "" : ", ") + mx.name;
    unsure = unsure || (found.unsure && found.addresses.empty());
    if (!ours && leads_here(mx, found)) ours = mx.preference;
    if (!found.addresses.empty() || found.unsure) continue;
    add(at, Severity::kWrong, domain.name,
        fmt::format("its MX record names {}, which has no address: mail waits at its senders or comes back",
                    mx.name));
  }
  std::uint16_t best = domain.exchangers.front().preference;
  if (!ours && unsure)
    return add(at, Severity::kNote, domain.name, "where its MX records lead could not all be asked");
  if (!ours && domain.relay) {
    return add(at, Severity::kNote, domain.name,
               fmt::format("its mail goes to {} and never here; that is right if others send here by their "
                           "own routing",
                           names),
               mx_record(domain.name, kBehind));
  }
  if (!ours) {
    return add(at, Severity::kWrong, domain.name,
               fmt::format("its mail goes to {}, and does not come here", names), mx_record(domain.name));
  }
  if (*ours == best) return add(at, Severity::kGood, domain.name, "its mail comes here first");
  add(at, domain.relay ? Severity::kGood : Severity::kNote, domain.name,
      fmt::format("its mail goes to {} first and comes here only if that does not answer",
                  domain.exchangers.front().name));
}

// RFC 5321 5.1: without an MX record the address record counts.
void SetupCheck::Impl::judge_without_mx(const Domain& domain, std::size_t at, const Found& found) {
  std::string record = domain.relay ? std::string() : mx_record(domain.name);
  bool here = std::any_of(found.addresses.begin(), found.addresses.end(),
                          [this](const NetAddress& a) { return contains(own, a); });
  if (here && domain.name == question.hostname)
    return add(at, Severity::kGood, domain.name, "its mail comes here by its address record");
  if (here) {
    return add(at, Severity::kNote, domain.name,
               "its mail comes here by its address record; an MX record says so for certain", record);
  }
  if (found.addresses.empty() && found.unsure)
    return add(at, Severity::kNote, domain.name, "its address records could not be asked; try again later");
  if (domain.relay) {
    return add(at, Severity::kNote, domain.name, "has no MX record that names this host",
               mx_record(domain.name, kBehind));
  }
  add(at, Severity::kWrong, domain.name,
      found.addresses.empty()
          ? "has neither an MX record nor an address record: nobody outside can send it mail"
          : fmt::format("has no MX record, so its mail goes to {}, which is not this host",
                        address_text(found.addresses.front())),
      record);
}

}  // namespace po
