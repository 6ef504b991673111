// Who waits for an answer of accounts or queue. The connection implements it; the clients of the two pipes
// call it, never from inside the call that asks.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/fd.h"
#include "lib/messages.h"

namespace smtpd {

class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void on_verdict(const po::messages::Verdict& verdict) = 0;
  virtual void on_usage(bool known, std::uint64_t octets) = 0;
  virtual void on_body_file(const po::messages::BodyFile& answer, po::Fd file) = 0;
  virtual void on_started(bool known, std::uint64_t messages) = 0;
  virtual void on_submitted(const po::messages::Submitted& answer) = 0;
};

}  // namespace smtpd
