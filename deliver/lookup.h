// From a next hop to the addresses that it is offered to: asks the resolver what deliver/hosts.h wants to
// know. Callers: delivery, and server for `post.office route`.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "deliver/hosts.h"
#include "lib/dns.h"
#include "lib/messages.h"

namespace deliver {

/// Destroying it cancels it.
class Lookup {
 public:
  using OnDone = std::function<void(HostList hosts)>;
  /// The references must outlive the lookup.
  Lookup(po::Resolver& resolver, const OwnHost& own, const Chance& chance, po::messages::NextHop hop);
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  /// `on_done` is called once, and for an address literal at once, from inside. It may destroy the lookup.
  void start(OnDone on_done);

 private:
  void on_exchangers(const po::DnsAnswer& answer);
  void ask_addresses(bool from_mx, std::vector<Candidate> candidates);
  void on_addresses(std::size_t candidate, const po::DnsAnswer& answer);
  void done(HostList hosts);

  po::Resolver& resolver_;
  const OwnHost& own_;
  const Chance& chance_;
  po::messages::NextHop hop_;
  OnDone on_done_;
  bool from_mx_ = false;
  std::vector<Candidate> candidates_;
  std::size_t open_ = 0;  ///< questions without answer
  std::vector<po::DnsQuestion> questions_;
};

}  // namespace deliver
