#include "smtpd/queue_client.h"

#include <algorithm>
#include <utility>

namespace smtpd {

using namespace po::messages;
using Clock = std::chrono::steady_clock;

void QueueClient::connect(po::Fd pipe) {
  if (channel_) on_broken();
  ++generation_;
  channel_ = std::make_unique<po::Channel>(
      loop_, std::move(pipe), [this](po::Frame& frame) { return on_frame(frame); },
      [this](std::string_view why) {
        log_.event("peer-gone").kv("peer", "queue").kv("why", why);
        lost_pipe_.lost();
        on_broken();
      });
  lost_pipe_.back();
  for (Pending& p : std::exchange(lost_, {})) ask_stored(std::move(p));
}

std::uint32_t QueueClient::remember(Pending pending) {
  std::uint32_t serial = channel_->next_serial();
  pending_.insert_or_assign(serial, std::move(pending));
  return serial;
}

// ---- questions

void QueueClient::submit(const Submit& message, Waiter& waiter) {
  Pending p{What::kSubmit, &waiter, message.id, 0, {}};
  if (!ready()) return fail_soon(std::move(p));
  channel_->send(remember(std::move(p)), message);
}

void QueueClient::open_body(const po::MessageId& id, Waiter& waiter) {
  Pending p{What::kBody, &waiter, id, 0, {}};
  if (!ready()) return fail_soon(std::move(p));
  channel_->send(remember(std::move(p)), OpenBody{id});
}

void QueueClient::drop_body(const po::MessageId& id) {
  if (ready()) channel_->send(channel_->next_serial(), DropBody{id});
}

std::optional<std::uint64_t> QueueClient::cached_usage(std::uint64_t account) const {
  auto cached = usages_.find(account);
  if (cached == usages_.end() || Clock::now() >= cached->second.until) return std::nullopt;
  return cached->second.octets;
}

void QueueClient::ask_usage(std::uint64_t account, Waiter& waiter) {
  Pending p{What::kUsage, &waiter, {}, account, {}};
  if (!ready()) return fail_soon(std::move(p));
  channel_->send(remember(std::move(p)), AskUsage{account});
}

void QueueClient::start_domain(const std::string& domain, bool subdomains, Waiter& waiter) {
  Pending p{What::kStart, &waiter, {}, 0, {}};
  if (!ready()) return fail_soon(std::move(p));
  channel_->send(remember(std::move(p)), StartDomain{domain, subdomains});
}

void QueueClient::ask_stored(Pending pending) {
  pending.what = What::kStored;
  po::MessageId id = pending.id;
  channel_->send(remember(std::move(pending)), AskStored{id});
}

void QueueClient::forget(Waiter& waiter) {
  for (auto& [serial, p] : pending_) {
    if (p.waiter == &waiter) p.waiter = nullptr;
  }
  for (auto* list : {&lost_, &failing_}) {
    for (Pending& p : *list) {
      if (p.waiter == &waiter) p.waiter = nullptr;
    }
  }
}

// ---- answers

bool QueueClient::on_frame(po::Frame& frame) {
  auto found = pending_.find(frame.serial);
  if (found == pending_.end()) return false;
  Pending p = found->second;
  pending_.erase(found);
  Submitted submitted;
  BodyFile body;
  Usage usage;
  Stored stored;
  Started started;
  if (p.what == What::kSubmit && frame.decode(submitted) && submitted.id == p.id) {
    if (p.waiter != nullptr) {
      p.waiter->on_submitted(submitted);
    } else {
      settle(p, submitted.kind, std::move(submitted.text));
    }
    return true;
  }
  if (p.what == What::kBody && frame.decode(body) && body.id == p.id) {
    if (body.kind == po::Kind::kDone && !frame.fd) return false;
    if (p.waiter != nullptr) {
      p.waiter->on_body_file(body, std::move(frame.fd));
    } else {
      drop_body(p.id);
    }
    return true;
  }
  if (p.what == What::kUsage && frame.decode(usage) && usage.account == p.account) {
    answer_usage(p, usage.known, usage.octets);
    return true;
  }
  if (p.what == What::kStart && frame.decode(started)) {
    if (p.waiter != nullptr) p.waiter->on_started(started.known, started.messages);
    return true;
  }
  if (p.what == What::kStored && frame.decode(stored) && stored.id == p.id) {
    return on_stored(stored, std::move(p));
  }
  pending_.emplace(frame.serial, std::move(p));  // what was asked is still open when the pipe goes
  return false;
}

void QueueClient::answer_usage(Pending p, bool known, std::uint64_t octets) {
  if (known) {
    if (usages_.size() >= kMaxUsages) usages_.clear();
    usages_[p.account] = {octets, Clock::now() + kUsageLife};
  }
  if (p.waiter != nullptr) p.waiter->on_usage(known, octets);
}

bool QueueClient::on_stored(const Stored& answer, Pending p) {
  if (!answer.known) {
    lost_.push_back(std::move(p));  // tick() asks again until the time is over
    return true;
  }
  settle(p, answer.stored ? po::Kind::kDone : po::Kind::kTemporary,
         answer.stored ? "" : "The message was lost on its way to the store, send it again");
  return true;
}

/// A Submit has come to its end without a plain answer, or without somebody to hear it.
void QueueClient::settle(const Pending& p, po::Kind kind, std::string text) {
  log_.event(kind == po::Kind::kDone ? "stored-late" : "not-stored")
      .kv("id", p.id.text())
      .kv("client", p.waiter != nullptr ? "waiting" : "gone");
  if (p.waiter == nullptr) return;
  Submitted answer;
  answer.id = p.id;
  answer.kind = kind;
  answer.text = std::move(text);
  p.waiter->on_submitted(answer);
}

// ---- broken pipes

void QueueClient::on_broken() {
  auto pending = std::exchange(pending_, {});
  Moment give_up = Clock::now() + kGiveUp;
  for (auto& [serial, p] : pending) {
    if (p.what == What::kSubmit) p.give_up = give_up;
    if (p.what == What::kSubmit || p.what == What::kStored) {
      lost_.push_back(std::move(p));
    } else {
      fail_soon(std::move(p));
    }
  }
  ++generation_;
  usages_.clear();
}

void QueueClient::tick(Moment now) {
  std::vector<Pending> lost = std::exchange(lost_, {});
  for (Pending& p : lost) {
    if (now >= p.give_up) {
      settle(p, po::Kind::kTemporary, "The message store does not answer, send the message again");
    } else if (ready()) {
      ask_stored(std::move(p));
    } else {
      lost_.push_back(std::move(p));
    }
  }
  // An AskStored without an answer must not hold the client for longer either.
  std::vector<std::uint32_t> late;
  for (auto& [serial, p] : pending_) {
    if (p.what == What::kStored && now >= p.give_up) late.push_back(serial);
  }
  for (std::uint32_t serial : late) {
    Pending p = pending_.at(serial);
    pending_[serial].waiter = nullptr;
    if (p.waiter != nullptr) settle(p, po::Kind::kTemporary, "The message store does not answer");
  }
}

void QueueClient::fail_soon(Pending pending) {
  failing_.push_back(std::move(pending));
  if (failing_.size() > 1) return;
  soon_.soon(loop_, [this] {
    for (std::size_t i = 0; i < failing_.size(); ++i) fail(Pending(failing_[i]));
    failing_.clear();
  });
}

void QueueClient::fail(const Pending& p) {
  if (p.waiter == nullptr) return;
  if (p.what == What::kUsage) return p.waiter->on_usage(false, 0);
  if (p.what == What::kStart) return p.waiter->on_started(false, 0);
  if (p.what == What::kBody) {
    po::messages::BodyFile answer;
    answer.id = p.id;
    return p.waiter->on_body_file(answer, {});
  }
  Submitted answer;
  answer.id = p.id;
  p.waiter->on_submitted(answer);
}

}  // namespace smtpd
