#include "queue/errands.h"

#include <limits>
#include <utility>

#include "lib/header.h"
#include "lib/text.h"
#include "queue/greeting.h"

namespace queue {

using directory::Errand;

static constexpr auto kLookAgain = std::chrono::minutes(1);  // a notice of a change may get lost
static constexpr auto kTryAgain = std::chrono::seconds(5);
static constexpr auto kBreath = std::chrono::milliseconds(20);

Errands::Errands(Office& office, Deliveries& deliveries) : office_(office), deliveries_(deliveries) {
  next_.after(office_.parts.loop, {}, [this] { step(); });
}

void Errands::look() {
  if (!stopped_ && !writing_) next_.after(office_.parts.loop, {}, [this] { step(); });
}

void Errands::stop() {
  stopped_ = true;
  next_.cancel();
}

void Errands::try_again(std::string_view why) {
  office_.parts.log.event("errand-deferred").kv("why", why);
  next_.after(office_.parts.loop, kTryAgain, [this] { step(); });
}

/// Where to go on. A directory that has not come as far as the store is an older copy of it, or a new one:
/// what its errands say has been done, or is about mail of another time.
bool Errands::find_place() {
  if (after_) return true;
  auto mark = office_.parts.store.errand_mark();
  if (!mark) {
    if (!office_.lost(mark.error())) try_again(mark.error().text);
    return false;
  }
  after_ = directory::ErrandPosition{mark->generation, mark->number};
  std::uint64_t generation = office_.parts.generation();
  if (generation >= mark->generation) return true;
  after_ = directory::ErrandPosition{generation, std::numeric_limits<std::uint64_t>::max()};
  office_.parts.log.event("errands-behind").kv("store", mark->generation).kv("directory", generation);
  return true;
}

void Errands::step() {
  if (writing_ || !find_place()) return;
  if (!office_.may_walk()) {
    next_.after(office_.parts.loop, kBreath, [this] { step(); });
    return;
  }
  auto errands = office_.parts.errands(*after_, 1);
  if (!errands) return try_again(errands.error().text);
  if (errands->empty()) {
    next_.after(office_.parts.loop, kLookAgain, [this] { step(); });
    return;
  }
  carry_out(errands->front());
}

void Errands::carry_out(const Errand& errand) {
  auto change = change_for(errand);
  if (!change) return try_again(change.error().text);
  write(errand, std::move(*change));
}

// An account that is there again has been taken back: its mail stays. One that is to be greeted, and has
// gone, is not. What is then left is to remember that.
po::Result<store::Errand> Errands::change_for(const Errand& errand) {
  store::Errand change;
  change.mark = {errand.position.generation, errand.position.number};
  change.at_most = kStep;
  auto account = office_.parts.routing.account(errand.account);
  if (!account) return tl::unexpected(account.error());
  bool there = account->has_value();
  switch (errand.kind) {
    case Errand::Kind::kDeleteMailbox:
      if (!there) change.empty = errand.account;
      break;
    case Errand::Kind::kHandOver:
      if (!there && errand.to != errand.account) {
        change.empty = errand.account;
        change.into = errand.to;
      }
      break;
    case Errand::Kind::kGreet: {
      if (!there || (*account)->addresses.empty()) break;
      auto message = greeting(**account);
      if (!message) return tl::unexpected(message.error());
      if (!message->deliveries.empty() || !message->waiting.empty())
        change.messages.push_back(std::move(*message));
      break;
    }
  }
  return change;
}

po::Result<store::Accept> Errands::greeting(const directory::Account& account) {
  po::MessageId id = deliveries_.notices().next_id();
  const std::string& address = account.addresses.front();
  auto settings = office_.parts.settings();
  NoticeText text;
  text.content = make_greeting({account, settings->greeting, office_.parts.hostname,
                                po::format_date(static_cast<std::int64_t>(now_ms() / 1000)), id.text()});
  text.smtputf8 = !po::is_ascii(address);
  text.body_8bit = !po::is_ascii(text.content);
  return deliveries_.notices().to_address(id, std::move(text), address);
}

void Errands::write(const Errand& errand, store::Errand change) {
  writing_ = true;
  std::size_t octets = octets_of(change);
  office_.begin_change(octets);
  bool bare = change.empty == 0 && change.messages.empty();
  po::MessageId greeting = change.messages.empty() ? po::MessageId{} : change.messages[0].id;
  auto waiting = change.messages.empty() ? std::vector<store::Waiting>{} : change.messages[0].waiting;
  office_.writer.add(std::move(change), [this, octets, errand, bare, greeting, waiting = std::move(waiting)](
                                            const store::Result<std::uint64_t>& result) {
    writing_ = false;
    office_.end_change(octets);
    if (!result && office_.lost(result.error())) return;
    if (!result && result.error().status == store::Status::kRefused)
      return on_refused(errand, bare, result.error().text);
    if (!result && result.error().no_space) office_.note_space(false, result.error().text);
    if (result && *result == 1) {
      on_done(errand, greeting);
      if (!waiting.empty()) deliveries_.accepted(greeting, {}, waiting, {});
    }
    if (stopped_) return;
    if (!result) return try_again(result.error().text);
    next_.after(office_.parts.loop, {}, [this] { step(); });
  });
}

/// What the store will never do must not keep all others waiting.
void Errands::on_refused(const Errand& errand, bool bare, std::string_view why) {
  office_.parts.log.event("errand-refused").kv("account", errand.account).kv("why", why);
  if (bare) after_ = errand.position;
  if (stopped_) return;
  if (!bare) return write(errand, {{errand.position.generation, errand.position.number}});
  next_.after(office_.parts.loop, {}, [this] { step(); });
}

void Errands::on_done(const Errand& errand, const po::MessageId& greeting) {
  after_ = errand.position;
  po::Log& log = office_.parts.log;
  switch (errand.kind) {
    case Errand::Kind::kDeleteMailbox:
      log.event("mailbox-deleted").kv("account", errand.account).kv("address", errand.address);
      break;
    case Errand::Kind::kHandOver:
      log.event("mailbox-handed-over")
          .kv("account", errand.account)
          .kv("address", errand.address)
          .kv("to_account", errand.to);
      break;
    case Errand::Kind::kGreet:
      if (greeting != po::MessageId{})
        log.event("greeted").kv("id", greeting.text()).kv("account", errand.account).kv("to", errand.address);
      break;
  }
}

}  // namespace queue
