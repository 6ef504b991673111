#include "deliver/relay_passwords.h"

#include <utility>
#include <vector>

namespace deliver {

using namespace po::messages;

void RelayPasswords::connect(po::Fd pipe) {
  if (channel_) fail_all();
  channel_ = std::make_unique<po::Channel>(
      loop_, std::move(pipe), [this](po::Frame& frame) { return on_frame(frame); },
      [this](std::string_view why) {
        log_.event("peer-gone").kv("peer", "accounts").kv("why", why);
        lost_pipe_.lost();
        fail_all();
      });
  lost_pipe_.back();
}

void RelayPasswords::ask(const std::string& host, const std::string& user, OnAnswer on_answer) {
  bool there = channel_ && channel_->open();
  auto now = std::chrono::steady_clock::now();
  pending_[++serial_] = {std::move(on_answer),
                         there ? now + kAnswerLimit : now};  // else the next tick answers
  if (there) channel_->send(serial_, AskRelayPassword{host, user});
}

bool RelayPasswords::on_frame(po::Frame& frame) {
  RelayPassword answer;
  auto found = pending_.find(frame.serial);
  if (!frame.decode(answer)) return false;
  if (found == pending_.end()) return true;  // it came too late
  OnAnswer on_answer = std::move(found->second.on_answer);
  pending_.erase(found);
  on_answer({true, answer.found, std::move(answer.password)});
  return true;
}

void RelayPasswords::tick(Moment now) {
  std::vector<OnAnswer> late;
  for (auto at = pending_.begin(); at != pending_.end();) {
    if (now < at->second.until) {
      ++at;
      continue;
    }
    late.push_back(std::move(at->second.on_answer));
    at = pending_.erase(at);
  }
  for (OnAnswer& on_answer : late) on_answer({});
}

void RelayPasswords::fail_all() {
  auto pending = std::exchange(pending_, {});
  for (auto& [serial, p] : pending) p.on_answer({});
}

}  // namespace deliver
