#include "pop3d/pipes.h"

namespace pop3d {

using namespace po::messages;

void Pipes::connect(Role role, po::Fd fd) {
  if (role == Role::kAccounts) {
    accounts_.reset();
    accounts_ = std::make_unique<po::Channel>(
        loop_, std::move(fd), [this](po::Frame& f) { return on_accounts_frame(f); },
        [this](std::string_view why) { on_accounts_closed(why); });
    lost_accounts_.back();
    std::erase_if(questions_, [](const auto& entry) { return entry.second.client == 0; });
    // A password check changes nothing at accounts that must not happen twice: ask all again.
    for (auto& [serial, question] : questions_) accounts_->send(serial, question.frame);
  } else if (role == Role::kQueue) {
    if (queue_) lose_mailboxes();
    queue_ = std::make_unique<po::Channel>(
        loop_, std::move(fd), [this](po::Frame& f) { return on_queue_frame(f); },
        [this](std::string_view why) { on_queue_closed(why); });
    lost_queue_.back();
    for (const Opening& opening : std::exchange(openings_, {})) send_opening(opening.client, opening.frame);
  }
}

PipeClient* Pipes::find(std::uint64_t client) const {
  auto found = clients_.find(client);
  return found == clients_.end() ? nullptr : found->second;
}

void Pipes::remove(std::uint64_t client) {
  forget(client);
  clients_.erase(client);
}

void Pipes::forget(std::uint64_t client) {
  // A serial that was sent stays known, or its late answer would be taken for garbage.
  for (auto& [serial, question] : questions_) {
    if (question.client == client) question.client = 0;
  }
  for (auto& [serial, expected] : expected_) {
    if (expected.client == client) expected.client = 0;
  }
  std::erase_if(openings_, [client](const Opening& o) { return o.client == client; });
}

// ---- questions

void Pipes::authenticate(std::uint64_t client, Authenticate question) {
  std::uint32_t serial = ++serial_;
  Question& kept = questions_[serial] = {client, std::move(question), Clock::now()};
  if (accounts_) {
    accounts_->send(serial, kept.frame);
  } else {
    wait_for_pipes();
  }
}

void Pipes::open_mailbox(std::uint64_t client, OpenMailbox question) {
  if (queue_) return send_opening(client, question);
  openings_.push_back({client, std::move(question), Clock::now()});
  wait_for_pipes();
}

std::uint32_t Pipes::expect(std::uint64_t client, std::uint16_t type, std::uint32_t slot) {
  expected_[++serial_] = {client, type, slot};
  return serial_;
}

// Sent once only: a ticket is good once, and whether it was used when a pipe breaks nobody knows.
void Pipes::send_opening(std::uint64_t client, const OpenMailbox& question) {
  queue_->send(expect(client, Mailbox::kType), question);
}

// Without a pipe these are not sent: the client has been told that its mailbox is lost, or is told in a
// moment.
void Pipes::retrieve(std::uint64_t client, std::uint32_t slot, std::uint64_t handle,
                     const po::MessageId& id) {
  if (queue_) queue_->send(expect(client, Message::kType, slot), Retrieve{handle, id});
}

void Pipes::expunge(std::uint64_t client, Expunge question) {
  if (queue_) queue_->send(expect(client, Expunged::kType), question);
}

void Pipes::close_mailbox(std::uint64_t handle) {
  if (queue_) queue_->send(++serial_, CloseMailbox{handle});
}

// ---- answers

bool Pipes::on_accounts_frame(po::Frame& frame) {
  Verdict verdict;
  auto found = questions_.find(frame.serial);
  if (!frame.decode(verdict) || found == questions_.end()) return false;
  PipeClient* client = find(found->second.client);
  questions_.erase(found);
  if (client != nullptr) client->on_verdict(verdict);
  return true;
}

bool Pipes::on_queue_frame(po::Frame& frame) {
  auto found = expected_.find(frame.serial);
  if (found == expected_.end() || found->second.type != frame.type) return false;
  Expected expected = found->second;
  if (frame.is<Mailbox>()) {
    Mailbox mailbox;
    if (!frame.decode(mailbox)) return false;
    if (!mailbox.more) expected_.erase(found);
    return on_mailbox_frame(expected, mailbox);
  }
  expected_.erase(found);
  PipeClient* client = find(expected.client);
  if (frame.is<Message>()) {
    Message message;
    if (!frame.decode(message)) return false;
    if (client != nullptr) client->on_message(expected.slot, std::move(message), std::move(frame.fd));
    return true;
  }
  Expunged expunged;
  if (!frame.decode(expunged)) return false;
  if (client != nullptr) client->on_expunged(expunged);
  return true;
}

bool Pipes::on_mailbox_frame(const Expected& expected, const Mailbox& mailbox) {
  if (PipeClient* client = find(expected.client)) {
    client->on_mailbox(mailbox);
  } else if (mailbox.kind == po::Kind::kDone && !mailbox.more) {
    close_mailbox(mailbox.handle);
  }
  return true;
}

// ---- broken pipes

void Pipes::on_accounts_closed(std::string_view why) {
  log_.event("pipe-closed").kv("peer", "accounts").kv("why", why);
  accounts_.reset();
  lost_accounts_.lost();
  for (auto& [serial, question] : questions_) question.waiting_since = Clock::now();
  wait_for_pipes();
}

void Pipes::on_queue_closed(std::string_view why) {
  log_.event("pipe-closed").kv("peer", "queue").kv("why", why);
  lost_queue_.lost();
  lose_mailboxes();
}

void Pipes::lose_mailboxes() {
  queue_.reset();
  expected_.clear();
  std::vector<std::uint64_t> ids;
  for (const auto& [id, client] : clients_) ids.push_back(id);
  for (std::uint64_t id : ids) {
    if (PipeClient* client = find(id)) client->on_mailbox_lost();
  }
}

void Pipes::wait_for_pipes() {
  if (patience_.pending() || (questions_.empty() && openings_.empty())) return;
  patience_.after(loop_, std::chrono::milliseconds(500), [this] { give_up_waiting(); });
}

void Pipes::give_up_waiting() {
  auto longest = Clock::now() - kPatience;
  std::vector<std::uint64_t> unasked, unopened;
  if (!accounts_) {
    std::erase_if(questions_, [&](const auto& entry) {
      bool over = entry.second.waiting_since <= longest;
      if (over) unasked.push_back(entry.second.client);
      return over;
    });
  }
  std::erase_if(openings_, [&](const Opening& opening) {
    bool over = opening.waiting_since <= longest;
    if (over) unopened.push_back(opening.client);
    return over;
  });
  for (std::uint64_t id : unasked) {
    if (PipeClient* client = find(id)) client->on_verdict(Verdict{});
  }
  for (std::uint64_t id : unopened) {
    if (PipeClient* client = find(id)) client->on_mailbox(Mailbox{});
  }
  if (!accounts_ || !queue_) wait_for_pipes();
}

}  // namespace pop3d
