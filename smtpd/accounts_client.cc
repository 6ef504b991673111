#include "smtpd/accounts_client.h"

#include <algorithm>
#include <utility>

namespace smtpd {

using Clock = std::chrono::steady_clock;
using po::messages::Verdict;

void AccountsClient::connect(po::Fd pipe) {
  if (channel_) on_broken();
  channel_ = std::make_unique<po::Channel>(
      loop_, std::move(pipe), [this](po::Frame& frame) { return on_frame(frame); },
      [this](std::string_view why) {
        log_.event("peer-gone").kv("peer", "accounts").kv("why", why);
        lost_pipe_.lost();
        on_broken();
      });
  lost_pipe_.back();
  for (Pending& p : std::exchange(without_pipe_, {})) ask(std::move(p));
}

void AccountsClient::authenticate(po::messages::Authenticate question, Waiter& waiter) {
  ask({&waiter, std::move(question), {}});
}

void AccountsClient::ask(Pending p) {
  Moment now = Clock::now();
  if (!channel_ || !channel_->open()) {
    p.give_up = now + kPipeLimit;
    without_pipe_.push_back(std::move(p));
    return;
  }
  p.give_up = now + kAnswerLimit;
  std::uint32_t serial = channel_->next_serial();
  channel_->send(serial, p.question);
  pending_.insert_or_assign(serial, std::move(p));
}

bool AccountsClient::on_frame(po::Frame& frame) {
  Verdict verdict;
  auto found = pending_.find(frame.serial);
  if (found == pending_.end() || !frame.decode(verdict)) return false;
  Waiter* waiter = found->second.waiter;
  pending_.erase(found);
  if (waiter != nullptr) waiter->on_verdict(verdict);
  return true;
}

void AccountsClient::on_broken() {
  Moment give_up = Clock::now() + kPipeLimit;
  for (auto& [serial, p] : std::exchange(pending_, {})) {
    if (p.waiter == nullptr) continue;
    without_pipe_.push_back({p.waiter, std::move(p.question), give_up});
  }
}

void AccountsClient::forget(Waiter& waiter) {
  for (auto& [serial, p] : pending_) {
    if (p.waiter == &waiter) p.waiter = nullptr;
  }
  std::erase_if(without_pipe_, [&](const Pending& p) { return p.waiter == &waiter; });
}

void AccountsClient::tick(Moment now) {
  std::vector<Waiter*> late;
  for (auto& [serial, p] : pending_) {
    if (now < p.give_up || p.waiter == nullptr) continue;
    late.push_back(std::exchange(p.waiter, nullptr));  // the entry stays for an answer that comes after all
  }
  std::erase_if(without_pipe_, [&](const Pending& p) {
    if (now < p.give_up) return false;
    late.push_back(p.waiter);
    return true;
  });
  for (Waiter* w : late) w->on_verdict({});
}

}  // namespace smtpd
