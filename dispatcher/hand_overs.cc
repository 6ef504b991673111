#include "dispatcher/hand_overs.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "dispatcher/services.h"
#include "lib/inetd.h"
#include "lib/socket_options.h"

namespace dispatcher {

using po::Fd;
using po::Frame;
using po::Kind;

HandOvers::HandOvers(const po::Loop& loop, const po::config::Config& config, uid_t own, po::Log& log,
                     Give give, Limits limits)
    : loop_(loop), config_(config), own_(own), log_(log), give_(std::move(give)), limits_(limits) {}

void HandOvers::open(Fd listener) {
  listener_.emplace(loop_, std::move(listener),
                    [this](Fd socket, const po::messages::NetAddress&) { on_connection(std::move(socket)); });
}

// ---- what comes on run/inetd

void HandOvers::on_connection(Fd socket) {
  auto peer = po::peer_credentials(socket.get());
  if (!peer || peer->uid != own_) {  // root gets past the mode of the socket
    log_.event("inetd-refused")
        .kv("uid", peer ? peer->uid : 0)
        .kv("why", "not the suite's user; name that one in inetd.conf");
    return;
  }
  if (guests_.size() >= limits_.guests) {
    log_.event("inetd-refused").kv("why", "too many at once");
    return;
  }
  std::uint32_t number = ++last_number_;
  Guest& guest = guests_[number];
  guest.program = std::make_unique<po::Channel>(
      loop_, std::move(socket), [this, number](Frame& f) { return on_frame(number, f); },
      [this, number](std::string_view why) { on_closed(number, why); });
  wait(number, guest);
}

bool HandOvers::on_frame(std::uint32_t number, Frame& frame) {
  Guest& guest = guests_.at(number);
  po::messages::HandOver ask;
  if (guest.state != State::kSilent || !frame.decode(ask) || !frame.fd ||
      !po::inetd::is_tcp_connection(frame.fd.get())) {
    return false;
  }
  guest.serial = frame.serial;
  const po::config::Service* service = find_service(ask.service);
  if (service == nullptr) {
    answer(guest, Kind::kPermanent,
           fmt::format("{} has no service {} that takes connections from inetd", config_.file, ask.service));
    return true;
  }
  guest.served_by = service->program;
  guest.handed.listen = listen_of(*service);
  guest.client = std::move(frame.fd);
  po::send_at_once(guest.client.get());
  place(number, guest);
  return true;
}

const po::config::Service* HandOvers::find_service(std::string_view name) const {
  for (const auto& service : config_.services) {
    if (service.name == name && service.inetd && !service.off) return &service;
  }
  return nullptr;
}

/// A program that gave up waiting has told its client so; the client is nobody's any more, unless a process
/// has it already and has only not said so yet.
void HandOvers::on_closed(std::uint32_t number, std::string_view why) {
  auto found = guests_.find(number);
  if (found == guests_.end()) return;
  if (why.starts_with("garbage")) log_.event("inetd-refused").kv("why", why);
  if (found->second.state == State::kGiven) {
    found->second.program.reset();
  } else {
    guests_.erase(found);
  }
}

// ---- on the way

void HandOvers::place(std::uint32_t number, Guest& guest) {
  Fd copy(fcntl(guest.client.get(), F_DUPFD_CLOEXEC, 3));
  guest.process = copy ? give_(guest.served_by, number, guest.handed, std::move(copy)) : 0;
  guest.state = guest.process != 0 ? State::kGiven : State::kWaiting;
}

bool HandOvers::took(std::uint32_t process, std::uint32_t serial) {
  auto found = guests_.find(serial);
  if (found == guests_.end() || found->second.state != State::kGiven || found->second.process != process)
    return false;
  if (found->second.program) {
    answer(found->second, Kind::kDone, {});
    wait(serial, found->second);
  } else {
    guests_.erase(found);
  }
  return true;
}

// A process that took a client and died before we read so: the client is greeted twice. That is better than
// not at all, and the process has done nothing for it yet but greet.
void HandOvers::gone(std::uint32_t process) {
  for (auto it = guests_.begin(); it != guests_.end();) {
    auto& [number, guest] = *it++;
    if (guest.state != State::kGiven || guest.process != process) continue;
    if (!guest.program) {
      guests_.erase(number);
      continue;
    }
    place(number, guest);
    wait(number, guest);
  }
}

void HandOvers::ready() {
  for (auto& [number, guest] : guests_) {
    if (guest.state == State::kWaiting) place(number, guest);
  }
}

// ---- the end

void HandOvers::answer(Guest& guest, Kind kind, std::string text) {
  if (kind != Kind::kDone)
    log_.event("inetd-refused").kv("service", guest.handed.listen.service).kv("why", text);
  guest.program->send(guest.serial, po::messages::HandOverAnswer{kind, std::move(text)});
  guest.client.reset();
  guest.state = State::kAnswered;
}

void HandOvers::wait(std::uint32_t number, Guest& guest) {
  guest.limit.after(loop_, limits_.patience, [this, number] { on_limit(number); });
}

/// Who says nothing, or does not go when answered, is dropped; a process that has been given a client has it.
void HandOvers::on_limit(std::uint32_t number) {
  Guest& guest = guests_.at(number);
  if (guest.state == State::kGiven) return;
  if (guest.state == State::kWaiting) {
    answer(guest, Kind::kTemporary, fmt::format("no {} is ready", guest.served_by));
    return wait(number, guest);
  }
  guests_.erase(number);
}

}  // namespace dispatcher
