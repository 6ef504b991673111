#include "deliver/delivery.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "lib/net_address.h"

namespace deliver {

using Clock = std::chrono::steady_clock;
using po::Kind;
using namespace po::messages;

static constexpr std::size_t kAddressesInLine = 20;

Delivery::Delivery(Office& office, std::uint32_t serial, Job job, po::Fd file)
    : office_(office),
      serial_(serial),
      job_(std::make_shared<const Job>(std::move(job))),
      key_(pool_key(job_->hop)),
      content_({job_, &job_->body}, job_->size, std::move(file)),
      began_(Clock::now()),
      open_(job_->recipients.size()) {
  std::iota(open_.begin(), open_.end(), std::size_t{0});
  done_.id = job_->id;
  done_.dsn = true;
}

void Delivery::start() {
  eight_bit_ = content_.has_8bit();
  utf8_header_ = eight_bit_ && job_->smtputf8 && content_.header_has_8bit();
  if (Connection* waiting = office_.pool().take(key_)) {
    reused_ = true;
    connection_ = waiting;
    waiting->set_user(this);
    return carry(*waiting);
  }
  look_up();
}

// ---- to a host

void Delivery::look_up() {
  lookup_ = std::make_unique<Lookup>(office_.resolver(), office_.own(), office_.chance(), job_->hop);
  lookup_->start([this](HostList hosts) { on_hosts(std::move(hosts)); });
}

void Delivery::on_hosts(HostList hosts) {
  if (hosts.none) return give_up(*hosts.none);
  endpoints_ = std::move(hosts.endpoints);
  next_ = 0;
  office_.pool().dead().put_last(endpoints_, Clock::now());
  if (!job_->hop.user.empty()) return ask_password();
  try_next();
}

void Delivery::ask_password() {
  auto on_answer = [weak = weak_from_this()](const RelayPasswords::Answer& answer) {
    auto self = weak.lock();
    if (!self || self->completed_) return;
    if (!answer.known)
      return self->give_up({Kind::kTemporary, "4.3.0", "the password of the relay cannot be read now"});
    if (!answer.found) {
      return self->give_up({Kind::kTemporary, "4.3.5",
                            "the routing table has a user for this relay, but there is no password: the "
                            "Postmaster has to give one"});
    }
    self->password_ = answer.password;
    self->try_next();
  };
  office_.passwords().ask(job_->hop.host, job_->hop.user, std::move(on_answer));
}

void Delivery::try_next() {
  if (next_ == endpoints_.size() || silent_ == kMostSilent) {
    HopState state = hop_state();
    if (state == HopState::kBusy && failure_->why.kind == Kind::kPermanent) {
      // Whatever it calls it: the others' mail goes through, so there are only too many of us.
      failure_->why.kind = Kind::kTemporary;
      failure_->why.status[0] = '4';
    }
    settle_failed();
    return complete(state);
  }
  const Endpoint& endpoint = endpoints_[next_++];
  connect(endpoint, job_->hop.tls);
}

void Delivery::connect(const Endpoint& endpoint, TlsLevel level) {
  std::string why;
  auto context = level == TlsLevel::kNone ? nullptr : office_.tls(level, why);
  if (!context && level != TlsLevel::kNone) return give_up({Kind::kTemporary, "4.7.5", why});
  Terms terms;
  terms.helo = job_->hop.helo.empty() ? office_.own().name() : job_->hop.helo;
  terms.tls = level;
  terms.same_host = po::is_loopback(endpoint.address);
  terms.user = job_->hop.user;
  terms.password = password_;
  reused_ = false;
  connection_ =
      &office_.pool().open({endpoint, job_->hop.source, key_}, std::move(terms), std::move(context), *this);
}

void Delivery::on_ready(Connection& connection) {
  office_.pool().dead().remove(connection.place().endpoint.address);
  carry(connection);
}

void Delivery::carry(Connection& connection) {
  Mail mail;
  mail.job = job_;
  mail.recipients = open_;
  mail.eight_bit = eight_bit_;
  mail.utf8_header = utf8_header_;
  if (eight_bit_ && !connection.extensions().eight_bit) {
    if (!parts_) parts_ = content_.parts();
    mail.parts = *parts_;
  }
  in_transaction_ = true;
  done_.host = endpoint_text(connection.place().endpoint);
  done_.tls = connection.tls_text();
  connection.carry(std::move(mail), content_);
}

// ---- what it came to

void Delivery::on_finished(Connection& connection, Finished& finished) {
  in_transaction_ = false;
  served_ = true;
  done_.dsn = done_.dsn && finished.dsn;
  std::move(finished.outcomes.begin(), finished.outcomes.end(), std::back_inserter(done_.outcomes));
  open_ = std::move(finished.left);
  if (!open_.empty() && !stopped_) {
    if (connection.usable()) return carry(connection);
    connection_ = nullptr;
    connection.set_user(nullptr);
    return look_up();
  }
  connection_ = nullptr;
  office_.pool().give(connection);
  if (stopped_) settle_open(*stopped_);
  complete(HopState::kServed);
}

void Delivery::on_failed(Connection& connection, Failed& failed) {
  connection_ = nullptr;
  bool reused = std::exchange(reused_, false);
  if (std::exchange(in_transaction_, false)) {
    std::move(failed.outcomes.begin(), failed.outcomes.end(), std::back_inserter(done_.outcomes));
    open_ = std::move(failed.left);
    served_ = served_ || failed.stage != Stage::kSession;
  }
  if (completed_) return;
  if (connection.unreachable()) {
    office_.pool().dead().add(connection.place().endpoint.address, Clock::now());
    if (connection.timed_out()) ++silent_;
  } else if (!reused) {
    done_.host = endpoint_text(connection.place().endpoint);
    done_.tls = connection.tls_text();
  }
  if (stopped_ || open_.empty() || failed.stage == Stage::kEnd) {
    settle_open(stopped_ ? *stopped_ : failed.why);
    return complete(stopped_ ? stopped_state() : hop_state());
  }
  // It was kept too long for the host's taste; that says nothing about the next one.
  if (reused) return look_up();
  if (failed.clear_may_do) {
    office_.log()
        .event("tls-failed")
        .kv("id", job_->id.text())
        .kv("host", done_.host)
        .kv("why", failed.why.reply);
    return connect(connection.place().endpoint, TlsLevel::kNone);
  }
  note_failure(failed.why, connection.unreachable());
  try_next();
}

/// Of several, one that may get better counts more, and a host's words more than ours.
void Delivery::note_failure(const Outcome& why, bool unreachable) {
  bool better = !failure_ || (failure_->why.kind == Kind::kPermanent && why.kind == Kind::kTemporary) ||
                (failure_->why.kind == why.kind && (why.remote || !failure_->why.remote));
  if (!better) return;
  failure_ = {why, {}, {}};
  if (unreachable) return;
  failure_->host = done_.host;
  failure_->tls = done_.tls;
}

/// With the words of the host that counts most, under its name.
void Delivery::settle_failed() {
  done_.host = failure_->host;
  done_.tls = failure_->tls;
  settle_open(failure_->why);
}

void Delivery::give_up(const NoHost& none) {
  Outcome o;
  o.kind = none.kind;
  o.status = none.status;
  o.reply = one_line(none.text);
  if (!failure_) failure_ = {o, {}, {}};
  settle_failed();
  complete(served_ || none.kind == Kind::kPermanent ? HopState::kServed : HopState::kUnavailable);
}

void Delivery::settle_open(const Outcome& outcome) {
  for (std::size_t i : open_) {
    done_.outcomes.push_back(outcome);
    done_.outcomes.back().n = job_->recipients[i].n;
  }
  open_.clear();
}

/// A host that kept us until our time was over, an octet now and then, is not one that works.
HopState Delivery::stopped_state() const {
  if (!late_) return HopState::kUnseen;
  return served_ ? HopState::kBusy : HopState::kUnavailable;
}

HopState Delivery::hop_state() const {
  if (served_) return HopState::kServed;
  return office_.pool().working(key_) > 0 ? HopState::kBusy : HopState::kUnavailable;
}

void Delivery::complete(HopState state) {
  if (std::exchange(completed_, true)) return;
  done_.hop = state;
  bool delivered = std::any_of(done_.outcomes.begin(), done_.outcomes.end(),
                               [](const JobOutcome& o) { return o.kind == Kind::kDone; });
  done_.dsn = done_.dsn && delivered;
  log(done_);
  office_.on_done(*this, done_);
}

void Delivery::stop(const char* status, const std::string& why, bool may_wait) {
  if (completed_) return;
  Outcome o;
  o.status = status;
  o.reply = why;
  stopped_ = std::move(o);
  if (connection_ != nullptr) {
    if (may_wait && connection_->end_sent()) return;
    return connection_->abort(*stopped_);
  }
  lookup_.reset();
  settle_open(*stopped_);
  complete(stopped_state());
}

void Delivery::tick(Moment now) {
  if (completed_ || now - began_ < kLimit) return;
  late_ = true;
  stop("4.4.2", "the attempt took too long", false);
}

// ---- log

void Delivery::log(const JobDone& done) const {
  auto seconds = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count();
  std::map<std::uint32_t, const std::string*> addresses;
  for (const JobRecipient& r : job_->recipients) addresses[r.n] = &r.address;
  auto same = [](const JobOutcome& a, const JobOutcome& b) { return a.kind == b.kind && a.reply == b.reply; };
  for (std::size_t i = 0; i < done.outcomes.size();) {
    const JobOutcome& first = done.outcomes[i];
    std::string to;
    for (std::size_t n = 0; i < done.outcomes.size() && n < kAddressesInLine && same(first, done.outcomes[i]);
         ++n, ++i)
      to += (n == 0 ? "" : ",") + *addresses[done.outcomes[i].n];
    const char* result = first.kind == Kind::kDone        ? "taken"
                         : first.kind == Kind::kTemporary ? "put-off"
                                                          : "refused";
    auto line = office_.log().event("attempt");
    line.kv("id", job_->id.text()).kv("to", to).kv("hop", job_->hop.name).kv("result", result);
    if (!done.host.empty()) line.kv("host", done.host);
    line.kv("tls", done.tls.empty() ? std::string("no") : done.tls);
    line.kv("status", first.status).kv("reply", first.reply);
    line.kv("seconds",
            std::to_string(seconds / 1000) + "." + std::to_string(1000 + seconds % 1000).substr(1));
  }
}

}  // namespace deliver
