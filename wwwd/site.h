// All pages: finds the one for a request, finds out who asks, and calls it. Callers: main (makes it), the
// server (as its Handler).
#pragma once

#include <memory>
#include <string>

#include "wwwd/handler.h"
#include "wwwd/pipes.h"
#include "wwwd/routes.h"

namespace wwwd {

class SetupDesk;

class Site final : public Handler {
 public:
  /// `host`: the system's name, shown on each page. Without a desk there is no set-up check.
  Site(const po::Loop& loop, po::Log& log, std::string host, const std::shared_ptr<SetupDesk>& desk = {});

  void on_request(std::shared_ptr<Exchange> exchange) override;
  std::unique_ptr<BodySink> stream_body(const std::shared_ptr<Exchange>& exchange,
                                        std::uint64_t length) override;
  void on_peer(const po::messages::Peer& peer, po::Fd pipe) override;
  [[nodiscard]] bool hopeless(std::chrono::steady_clock::time_point now) const override;

 private:
  void resume(const std::shared_ptr<Exchange>& exchange, std::string token, std::string path,
              Parameters fields);

  std::string host_;
  Pipes pipes_;
  Routes routes_;
};

}  // namespace wwwd
