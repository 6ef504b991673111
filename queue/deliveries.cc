#include "queue/deliveries.h"

#include <algorithm>

#include "lib/text.h"

namespace queue {

using directory::Target;
using po::Kind;
using po::MessageId;
using store::RecipientKey;
using store::WaitingRow;
using namespace po::messages;

static constexpr std::size_t kHopsAtOnce = 500;
static constexpr std::size_t kStartsAtOnce = 64;  // in one turn of the loop
static constexpr std::uint64_t kBusyMs = 20;
static constexpr auto kLook = std::chrono::milliseconds(1);
static constexpr auto kReadAgain = std::chrono::minutes(10);
static constexpr auto kPatience = std::chrono::minutes(40);  // a JobDone is promised within 30
static constexpr auto kAbsence =
    std::chrono::seconds(60);  // longer than the dispatcher takes to start one again
static constexpr auto kRest = std::chrono::seconds(10);
static constexpr unsigned kMostDeaths = 2;
static constexpr std::size_t kMostDeathsKept = 10'000;
static constexpr std::size_t kMostAsked = 100;
static constexpr std::size_t kHeaderLooked = 256 * 1024;

Lifetimes lifetimes_of(const directory::Settings& s) {
  return {s.message_lifetime * kHourMs, s.delay_warning * kHourMs};
}

Deliveries::Deliveries(Office& office)
    : office_(office),
      scheduler_(
          [this](std::string_view hop, std::uint64_t now, std::size_t limit, const Scheduler::Taken& taken) {
            return office_.parts.store.due(hop, now, limit, taken);
          },
          [this] { return chance(); }),
      notices_(office),
      settlements_(office, scheduler_, [this] { pump_soon(); }),
      began_ms_(now_ms()),
      random_(now_ms() ^ (static_cast<std::uint64_t>(office.parts.incarnation) << 40)) {
  read_soon_.after(office.parts.loop, kLook, [this] { read_hops(); });
  patience_.every(office.parts.loop, std::chrono::minutes(1), [this] { check_patience(); });
}

/// Spreads retries and nothing else: whoever foresees it has nothing of it.
std::uint32_t Deliveries::chance() {
  random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<std::uint32_t>(random_ >> 33);
}

Moment Deliveries::moment() {
  return {now_ms(), [this] { return chance(); }};
}

// ---- the hops of the store

// In pieces, between what else the loop has to do; and again now and then, so that nothing that was committed
// without the scheduler hearing of it stays where it is.
void Deliveries::read_hops() {
  auto hops = office_.parts.store.hops(hops_after_, kHopsAtOnce);
  if (!hops) {
    if (office_.lost(hops.error())) return;
    office_.parts.log.event("queue-unreadable").kv("why", hops.error().text);
    read_soon_.after(office_.parts.loop, std::chrono::seconds(1));
    return;
  }
  std::uint64_t now = now_ms();
  for (const store::HopHead& h : *hops) scheduler_.note(h.hop, h.next_ms, now);
  bool more = hops->size() == kHopsAtOnce;
  hops_after_ = more ? hops->back().hop : std::string();
  if (more) {
    read_soon_.after(office_.parts.loop, kLook);
  } else {
    read_soon_.after(office_.parts.loop, kReadAgain);
  }
  pump_soon();
}

// ---- deliverers

void Deliveries::add(Deliverer& deliverer) {
  desks_.push_back({&deliverer});
  pump_soon();
}

void Deliveries::remove(Deliverer& deliverer) {
  if (deliverer.is_for_maildrops()) maildrops_seen_ = Clock::now();
  std::erase_if(desks_, [&](const Desk& d) { return d.deliverer == &deliverer; });
  for (auto at = asked_.begin(); at != asked_.end();) {
    auto next = std::next(at);
    if (at->second.by == &deliverer) {
      auto answer = std::move(at->second.answer);
      asked_.erase(at);
      answer({Kind::kTemporary, {"the deliverer that was asked has ended"}});
    }
    at = next;
  }
  std::vector<Running> left;
  std::erase_if(running_, [&](auto& each) {
    if (each.second.by != &deliverer) return false;
    left.push_back(std::move(each.second));
    return true;
  });
  for (const Running& job : left) end_without_answer(job, "the delivering process has ended");
}

/// Whether the host took the message nobody knows: it is offered again (at least once). A message over which
/// deliverers die again and again takes its turn with the others that have to wait.
void Deliveries::end_without_answer(const Running& job, std::string_view why) {
  scheduler_.dropped(job.start, now_ms());
  if (deaths_.size() > kMostDeathsKept) deaths_.clear();
  if (++deaths_[job.start.id] <= kMostDeaths) return give_back(job.start, now_ms());
  settle_all(job, {0, Kind::kTemporary, false, std::string(why), "4.3.0"});
}

void Deliveries::check_patience() {
  std::vector<std::uint32_t> late;
  for (const auto& [serial, job] : running_) {
    if (Clock::now() - job.since > kPatience) late.push_back(serial);
  }
  for (std::uint32_t serial : late) {
    auto node = running_.extract(serial);
    if (Desk* desk = desk_of(*node.mapped().by)) --desk->jobs;
    office_.parts.log.event("job-late").kv("id", node.mapped().start.id.text());
    end_without_answer(node.mapped(), "the delivering process did not answer");
  }
}

/// Of those of the kind, the one with the fewest jobs; among equals the first, so that its connections are
/// used again. One that gives its jobs back because it stops has few, and is left alone.
Deliveries::Desk* Deliveries::idlest(bool maildrops) {
  Desk* best = nullptr;
  for (Desk& d : desks_) {
    if (d.deliverer->is_for_maildrops() != maildrops) continue;
    if (d.rests_until != Clock::time_point{} && Clock::now() < d.rests_until) continue;
    if (!d.deliverer->is_behind() && (best == nullptr || d.jobs < best->jobs)) best = &d;
  }
  return best;
}

/// What cannot go by SMTP now keeps its place: where there are such deliverers, one of them has to be free.
bool Deliveries::any_free() {
  bool smtp = std::ranges::any_of(desks_, [](const Desk& d) { return !d.deliverer->is_for_maildrops(); });
  return idlest(!smtp) != nullptr;
}

Deliveries::Desk* Deliveries::desk_of(const Deliverer& deliverer) {
  auto at = std::ranges::find(desks_, &deliverer, &Desk::deliverer);
  return at == desks_.end() ? nullptr : &*at;
}

// ---- jobs begin

void Deliveries::pump_soon() {
  pump_soon_.soon(office_.parts.loop, [this] { pump(); });
}

void Deliveries::pump() {
  if (stopping_ || desks_.empty()) return;
  auto settings = office_.parts.settings();
  auto by_smtp = static_cast<std::size_t>(
      std::ranges::count_if(desks_, [](const Desk& d) { return !d.deliverer->is_for_maildrops(); }));
  // No more than the deliverers work on at once: what waits in them would run out of our patience.
  scheduler_.set_limits({std::clamp<std::size_t>(settings->deliveries_at_once, 1,
                                                 kJobsAtOnce * std::max<std::size_t>(1, by_smtp)),
                         std::max<std::size_t>(1, settings->deliveries_per_host)});
  for (std::size_t i = 0; i < kStartsAtOnce; ++i) {
    if (!any_free() || !office_.may_begin_job()) {
      wake_.after(office_.parts.loop, std::chrono::milliseconds(10), [this] { pump(); });
      return;
    }
    auto start = scheduler_.next(now_ms());
    if (!start) {
      if (office_.lost(start.error())) return;
      office_.parts.log.event("queue-unreadable").kv("why", start.error().text);
      continue;
    }
    if (!*start) return arm();
    Desk* desk = idlest((*start)->hop == kMaildropHop);
    if (desk != nullptr) {
      begin(std::move(**start), *desk);
    } else {
      wait_for_desk(**start);
    }
  }
  wake_.after(office_.parts.loop, std::chrono::milliseconds(0), [this] { pump(); });
}

/// From now on the job is about these alone: others may have been claimed by somebody else.
static void keep_numbers(const std::vector<WaitingRow>& rows, Scheduler::Start& start) {
  start.recipients.clear();
  for (const WaitingRow& row : rows) start.recipients.push_back(row.key.n);
}

/// There is none of the kind that this hop wants, or it is busy.
void Deliveries::wait_for_desk(const Scheduler::Start& start) {
  bool maildrops = start.hop == kMaildropHop;
  bool there = std::ranges::any_of(
      desks_, [maildrops](const Desk& d) { return d.deliverer->is_for_maildrops() == maildrops; });
  if (maildrops && !there && Clock::now() - maildrops_seen_ >= kAbsence) return end_without_desk(start);
  for (std::uint32_t n : start.recipients) scheduler_.let_go({start.id, n});
  scheduler_.put_off(start, now_ms() + (there ? kBusyMs : kSecondMs), now_ms());
}

/// Who waits for mail drops long after there was a deliverer for them is to hear of it, and whose account has
/// none any more is not to wait.
void Deliveries::end_without_desk(const Scheduler::Start& start) {
  auto rows = rows_of(start);
  auto head = office_.parts.store.head(start.id);
  scheduler_.dropped(start, now_ms());
  if (!rows || !head) return give_back(start, now_ms() + 10 * kSecondMs);
  sort_out(start, *rows);
  Running job{start, nullptr, std::move(*head), std::move(*rows), Clock::now()};
  (void)keep_one_maildrop(job);
  settle_all(job,
             {0, Kind::kTemporary, false,
              "there is no unix-deliver or lmtp-deliver process; post.office.conf has to say unix-deliver "
              "on, or the path of a mail store's socket in place of on",
              "4.3.5"});
}

void Deliveries::arm() {
  std::uint64_t wake = scheduler_.wake_ms(), now = now_ms();
  if (wake == UINT64_MAX) return wake_.cancel();
  std::uint64_t wait = wake > now ? std::min<std::uint64_t>(wake - now, kMinuteMs) : 0;
  wake_.after(office_.parts.loop, std::chrono::milliseconds(wait), [this] { pump(); });
}

/// Those of the recipients that still wait, in one look for each run of numbers.
store::Result<std::vector<WaitingRow>> Deliveries::rows_of(const Scheduler::Start& start) {
  static constexpr std::uint32_t kGap = 8;
  std::vector<WaitingRow> rows;
  const auto& numbers = start.recipients;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] - numbers[end - 1] <= kGap) ++end;
    auto read = office_.parts.store.waiting(start.id, numbers[i], numbers[end - 1] - numbers[i] + 1);
    if (!read) return tl::unexpected(read.error());
    for (WaitingRow& row : *read) {
      if (std::ranges::binary_search(numbers, row.key.n)) rows.push_back(std::move(row));
    }
    i = end;
  }
  return rows;
}

void Deliveries::give_back_row(const Scheduler::Start& start, std::uint32_t n, std::uint64_t due_ms) {
  scheduler_.let_go({start.id, n});
  scheduler_.note(start.hop, due_ms, now_ms());
}

void Deliveries::give_back(const Scheduler::Start& start, std::uint64_t due_ms) {
  for (std::uint32_t n : start.recipients) scheduler_.let_go({start.id, n});
  scheduler_.note(start.hop, due_ms, now_ms());
  pump_soon();
}

/// Lets go of those that are gone, held, put off or moved since they were seen.
void Deliveries::sort_out(const Scheduler::Start& start, std::vector<WaitingRow>& rows) {
  std::uint64_t now = now_ms();
  std::erase_if(
      rows, [&](const WaitingRow& r) { return r.row.hop != start.hop || r.row.held || r.row.next_ms > now; });
  for (std::uint32_t n : start.recipients) {
    bool there = std::ranges::any_of(rows, [n](const WaitingRow& r) { return r.key.n == n; });
    if (!there) scheduler_.let_go({start.id, n});
  }
}

void Deliveries::begin(Scheduler::Start start, Desk& desk) {
  auto rows = rows_of(start);
  auto head = office_.parts.store.head(start.id);
  bool gone = !head && head.error().status == store::Status::kRefused;
  if (!rows || (!head && !gone)) {
    const store::Failure& f = rows ? head.error() : rows.error();
    if (office_.lost(f)) return;
    office_.parts.log.event("unreadable").kv("id", start.id.text()).kv("why", f.text);
    scheduler_.dropped(start, now_ms());
    return give_back(start, now_ms() + 10 * kSecondMs);
  }
  if (gone) rows->clear();
  sort_out(start, *rows);
  if (rows->empty()) return scheduler_.dropped(start, now_ms());
  Running job{std::move(start), desk.deliverer, std::move(*head), std::move(*rows), Clock::now()};
  if (job.start.hop == kLocalHop) {
    scheduler_.dropped(job.start, now_ms());
    return settle_released(std::move(job));
  }
  std::uint32_t serial = ++serial_;
  auto sent = job.start.hop == kMaildropHop ? begin_maildrops(serial, job) : begin_by_smtp(serial, job);
  if (!sent) {
    if (office_.lost(sent.error())) return;
    office_.parts.log.event("unreadable").kv("id", job.start.id.text()).kv("why", sent.error().text);
    return end_without_answer(job, "the message cannot be read");
  }
  if (!*sent) return;
  ++desk.jobs;
  running_.emplace(serial, std::move(job));
}

/// False: there is no job after all.
store::Result<bool> Deliveries::begin_by_smtp(std::uint32_t serial, Running& job) {
  auto hop = route(job);
  if (!hop) {
    scheduler_.dropped(job.start, now_ms());
    give_back(job.start, now_ms() + 10 * kSecondMs);
    return false;
  }
  if (job.rows.empty()) {
    scheduler_.dropped(job.start, now_ms());
    return false;
  }
  keep_numbers(job.rows, job.start);
  return send(serial, job, std::move(*hop));
}

/// By the directory as it is now: whose account has no mail drop any more goes where its address leads. One
/// recipient for each job, so that an answer is about one drop.
store::Result<bool> Deliveries::begin_maildrops(std::uint32_t serial, Running& job) {
  std::string login = keep_one_maildrop(job);
  if (job.rows.empty()) {
    scheduler_.dropped(job.start, now_ms());
    return false;
  }
  const WaitingRow& row = job.rows.front();
  MaildropJob frame;
  auto body = office_.parts.store.body(job.start.id);
  if (!body) return tl::unexpected(body.error());
  frame.id = job.start.id;
  frame.sender = job.head.envelope.sender;
  frame.arrival_ms = job.head.arrival_ms;
  frame.n = row.key.n;
  frame.login = std::move(login);
  frame.address = row.row.address;
  // What came before this start may have been given out by an earlier process.
  frame.again = deaths_.contains(frame.id) || frame.arrival_ms < began_ms_;
  frame.size = job.head.size;
  frame.in_file = static_cast<bool>(body->file);
  frame.body = std::move(body->body);
  job.by->send(serial, frame, std::move(body->file));
  return true;
}

/// The login of the one that is left in the job. The others are given back, or settled if they have no mail
/// drop any more.
std::string Deliveries::keep_one_maildrop(Running& job) {
  std::string login;
  Running others = job;
  others.rows.clear();
  std::erase_if(job.rows, [&](WaitingRow& row) {
    auto found = office_.parts.routing.resolve(row.row.address, false);
    std::uint64_t again_ms = found ? now_ms() : now_ms() + 10 * kSecondMs;
    bool has_drop = found && found->account && found->account->unix_delivery;
    if (found && !(has_drop && !found->account->unix_login.empty())) {
      others.rows.push_back(std::move(row));
      return true;
    }
    if (found && login.empty()) {
      login = found->account->unix_login;
      return false;
    }
    give_back_row(job.start, row.key.n, again_ms);
    return true;
  });
  keep_numbers(job.rows, job.start);
  keep_numbers(others.rows, others.start);
  if (!others.rows.empty()) settle_released(std::move(others));
  return login;
}

/// By the routing table as it is now: recipients that it leads elsewhere are moved, those with other options
/// are left for a job of their own.
po::Result<NextHop> Deliveries::route(Running& job) {
  auto table = office_.parts.routing.table();
  if (!table) return tl::unexpected(table.error());
  std::optional<NextHop> first;
  std::vector<store::Settle::Later> moved;
  std::erase_if(job.rows, [&](WaitingRow& row) {
    const std::string& sender = job.head.envelope.sender;
    NextHop hop = row.row.by_hand ? (*table)->next_hop_named(row.row.hop, domain_part(sender))
                                  : queue::next_hop(**table, row.row.address, sender);
    if (hop.name != job.start.hop) {
      row.row.hop = hop.name;
      moved.push_back({row.key.n, std::move(row.row)});
      return true;
    }
    if (!first) first = hop;
    if (hop.fields() == first->fields()) return false;
    give_back_row(job.start, row.key.n, now_ms());
    return true;
  });
  move_rows(job, std::move(moved));
  return first.value_or(NextHop{});
}

void Deliveries::move_rows(const Running& job, std::vector<store::Settle::Later> moved) {
  if (moved.empty()) return;
  Settlement s;
  s.change.id = job.start.id;
  for (const auto& later : moved) {
    s.in_flight.push_back(later.n);
    office_.parts.log.event("rerouted")
        .kv("id", job.start.id.text())
        .kv("to", later.now.address)
        .kv("hop", later.now.hop)
        .kv("why", "the routing table has changed");
  }
  s.change.later = std::move(moved);
  settlements_.write(std::move(s));
}

/// Ends a job that would go on for ever; smaller messages are looked at when they come.
void Deliveries::end_looped(const Running& job) {
  scheduler_.dropped(job.start, now_ms());
  settle_all(job, {0, Kind::kPermanent, false, std::string(kLoopText), "5.4.6"});
}

/// False: the job has ended instead.
store::Result<bool> Deliveries::send(std::uint32_t serial, Running& job, NextHop hop) {
  auto body = office_.parts.store.body(job.start.id);
  if (!body) return tl::unexpected(body.error());
  auto header = body->file ? beginning_of(*body, kHeaderLooked) : std::string();
  if (header && has_looped(*header)) {
    end_looped(job);
    return false;
  }
  const store::Envelope& e = job.head.envelope;
  Job frame;
  frame.id = job.start.id;
  frame.hop = std::move(hop);
  frame.sender = e.sender;
  frame.ret = e.ret;
  frame.envid = e.envid;
  frame.smtputf8 = e.smtputf8;
  frame.body_8bit = e.body_8bit;
  frame.size = job.head.size;
  frame.in_file = static_cast<bool>(body->file);
  frame.body = std::move(body->body);
  // Of a notice that we made ourselves nobody is to make another (RFC 3461 6.1).
  bool notice = e.sender.empty() && e.session.empty();
  for (const WaitingRow& row : job.rows) {
    std::uint8_t notify = notice ? std::uint8_t{kNotifyNever} : row.row.notify;
    frame.recipients.push_back({row.key.n, row.row.address, notify, row.row.orcpt});
  }
  job.by->send(serial, frame, std::move(body->file));
  return true;
}

// ---- what is ours after all

/// What becomes of one of them, by where its address leads now.
static void release(WaitingRow& row, const directory::Resolution& found, const directory::RoutingTable& table,
                    Settlement& s, Verdicts& verdicts) {
  auto count = [&found](Target::Kind kind) {
    return std::ranges::count_if(found.targets, [kind](const Target& t) { return t.kind == kind; });
  };
  if (count(Target::Kind::kHeld) == std::ssize(found.targets)) {
    return queue::fail(row, "bounced", "5.1.1", "nobody here has this address", verdicts);
  }
  // The other ways of an account with a mail drop have got theirs when the message came.
  bool had_drop = row.row.hop == kMaildropHop;
  auto own = std::ranges::find_if(found.targets, [&found](const Target& t) {
    return t.kind == Target::Kind::kMailbox && found.account && t.account == found.account->id;
  });
  if (had_drop && own != found.targets.end()) {
    s.change.deliveries.push_back(
        {own->account, row.row.notify, row.row.orcpt, prefix_lines(s.sender, row.row.address)});
    verdicts.gone.push_back(row.key.n);
    verdicts.lines.push_back({"delivered", row.row.address, "into a mailbox", "2.0.0", 0, row.row.attempts});
    return;
  }
  // A row is one recipient: what it cannot become whole it does not become in part.
  if (count(Target::Kind::kRemote) + count(Target::Kind::kMaildrop) > 1 || count(Target::Kind::kHeld) > 0) {
    row.row.held = true;
    verdicts.lines.push_back(
        {"held", row.row.address,
         "it leads to several addresses elsewhere: let it lead to one, then release it again", "4.3.5", 0,
         row.row.attempts});
    verdicts.later.push_back({row.key.n, std::move(row.row)});
    return;
  }
  const Target* elsewhere = nullptr;
  for (const Target& target : found.targets) {
    if (target.kind == Target::Kind::kRemote || target.kind == Target::Kind::kMaildrop) elsewhere = &target;
    if (target.kind == Target::Kind::kMailbox) {
      s.change.deliveries.push_back(
          {target.account, row.row.notify, row.row.orcpt, prefix_lines(s.sender, row.row.address)});
    }
  }
  if (elsewhere == nullptr) {
    verdicts.gone.push_back(row.key.n);
    verdicts.lines.push_back({"delivered", row.row.address, "into a mailbox", "2.0.0", 0, row.row.attempts});
    return;
  }
  if (row.row.original.empty()) row.row.original = row.row.address;
  row.row.address = elsewhere->address;
  row.row.hop = hop_name(table, *elsewhere, s.sender);
  verdicts.later.push_back({row.key.n, std::move(row.row)});
}

/// The directory says where each goes now: what the Postmaster released, and what has lost its mail drop.
/// What nobody has is returned.
void Deliveries::settle_released(Running job) {
  Settlement s;
  s.change.id = job.start.id;
  s.hop = job.start.hop;
  s.sender = job.head.envelope.sender;
  s.arrival_ms = job.head.arrival_ms;
  Verdicts verdicts;
  auto table = office_.parts.routing.table();
  if (!table) return give_back(job.start, now_ms() + 10 * kSecondMs);
  for (WaitingRow& row : job.rows) {
    auto found = office_.parts.routing.resolve(row.row.address, false);
    if (!found) {
      give_back_row(job.start, row.key.n, now_ms() + 10 * kSecondMs);
      continue;
    }
    s.in_flight.push_back(row.key.n);
    release(row, *found, **table, s, verdicts);
  }
  auto notices = notices_.make(job.start.id, job.head, std::move(verdicts.reports));
  if (!notices) return give_back(job.start, now_ms() + 10 * kSecondMs);
  s.change.notices = std::move(*notices);
  s.change.gone = std::move(verdicts.gone);
  s.change.later = std::move(verdicts.later);
  s.lines = std::move(verdicts.lines);
  s.action = "failed";
  if (!s.in_flight.empty()) settlements_.write(std::move(s));
}

// ---- jobs end

bool Deliveries::on_done(Deliverer& from, std::uint32_t serial, const JobDone& done) {
  auto at = running_.find(serial);
  if (at == running_.end()) return serial <= serial_ && !asked_.contains(serial);  // it came too late
  if (at->second.by != &from || at->second.start.id != done.id || !answers(done, at->second.rows)) {
    return false;
  }
  auto node = running_.extract(at);
  Running& job = node.mapped();
  Desk* desk = desk_of(from);
  --desk->jobs;
  deaths_.erase(done.id);
  if (done.hop == HopState::kUnseen) {
    scheduler_.dropped(job.start, now_ms());
    desk->rests_until = Clock::now() + kRest;
  } else {
    scheduler_.finished(job.start, done.hop, now_ms());
  }
  settle(std::move(job), done);
  pump_soon();
  return true;
}

/// Until then it counts as a change on its way: a stop waits for it.
void Deliveries::again_soon(std::function<void()> work) {
  office_.begin_change();
  again_.push_back(std::move(work));
  again_timer_.after(office_.parts.loop, std::chrono::seconds(1), [this] {
    std::vector<std::function<void()>> now;
    now.swap(again_);
    for (const auto& each : now) {
      office_.end_change();
      each();
    }
  });
}

// What was delivered is written by itself, if something else is to be written too: rows can be taken away on
// a full disk, and nobody gets a message twice because there is no room for somebody else's notice.
void Deliveries::settle(Running job, JobDone done) {
  auto delivered = [](const JobOutcome& o) { return o.kind == Kind::kDone; };
  auto count = static_cast<std::size_t>(std::ranges::count_if(done.outcomes, delivered));
  if (count == 0 || count == job.rows.size()) return settle_part(job, done);
  Running part = job;
  JobDone part_done = done;
  std::erase_if(part_done.outcomes, std::not_fn(delivered));
  std::erase_if(done.outcomes, delivered);
  auto is_in_part = [&part_done](const WaitingRow& row) {
    return std::ranges::any_of(part_done.outcomes, [&row](const JobOutcome& o) { return o.n == row.key.n; });
  };
  std::erase_if(part.rows, std::not_fn(is_in_part));
  std::erase_if(job.rows, is_in_part);
  settle_part(part, part_done);
  settle_part(job, done);
}

/// By ourselves, the same for each recipient.
void Deliveries::settle_all(const Running& job, JobOutcome outcome) {
  JobDone done;
  done.id = job.start.id;
  for (const WaitingRow& row : job.rows) {
    outcome.n = row.key.n;
    done.outcomes.push_back(outcome);
  }
  settle_part(job, done);
}

void Deliveries::settle_part(const Running& job, const JobDone& done) {
  Verdicts verdicts =
      judge(done, job.rows, job.head.arrival_ms, lifetimes_of(*office_.parts.settings()), moment());
  Settlement s;
  s.change.id = job.start.id;
  s.hop = job.start.hop;
  s.host = plain_line(done.host);
  s.tls = plain_line(done.tls);
  s.sender = job.head.envelope.sender;
  s.arrival_ms = job.head.arrival_ms;
  s.change.gone = std::move(verdicts.gone);
  s.change.later = std::move(verdicts.later);
  s.lines = std::move(verdicts.lines);
  for (const WaitingRow& row : job.rows) s.in_flight.push_back(row.key.n);
  if (!verdicts.reports.empty()) {
    s.action = verdicts.reports[0].action == Action::kFailed ? "failed" : "relayed";
    auto notices = notices_.make(job.start.id, job.head, std::move(verdicts.reports));
    if (!notices) {
      // What was delivered must not be delivered again, and what failed not go without its notice: both stay
      // in flight until it can be made.
      return again_soon([this, job, done] { settle_part(job, done); });
    }
    s.change.notices = std::move(*notices);
  }
  settlements_.write(std::move(s));
}

// ---- what was stored

void Deliveries::accepted(const MessageId& id, std::string_view sender,
                          const std::vector<store::Waiting>& waiting, const std::vector<Reached>& reached) {
  if (!waiting.empty()) {
    settlements_.queued(id, sender, waiting);
    pump_soon();
  }
  if (reached.empty()) return;
  std::vector<Report> reports;
  for (const Reached& r : reached) {
    Report report;
    report.action = r.expanded ? Action::kExpanded : Action::kDelivered;
    report.address = r.address;
    report.orcpt = r.orcpt;
    report.status = "2.0.0";
    reports.push_back(std::move(report));
  }
  auto head = office_.parts.store.head(id);
  if (!head) return;
  auto notices = notices_.make(id, *head, std::move(reports));
  if (!notices) {
    office_.parts.log.event("not-told").kv("id", id.text()).kv("why", notices.error().text);
    return;
  }
  for (store::Accept& notice : *notices) settlements_.write_notice(std::move(notice), id, "delivered");
}

// ---- DeliveryControl

bool Deliveries::in_flight(const RecipientKey& key) const {
  return scheduler_.in_flight(key);
}

bool Deliveries::claim(const RecipientKey& key) {
  return scheduler_.claim(key);
}

void Deliveries::let_go(const RecipientKey& key) {
  scheduler_.let_go(key);
}

void Deliveries::start_hop(std::string_view hop) {
  scheduler_.start_hop(hop, now_ms());
  pump_soon();
}

std::uint64_t Deliveries::spared_until(std::string_view hop) const {
  return scheduler_.spared_until(hop, now_ms());
}

po::Result<store::Settle> Deliveries::fail(const MessageId& id, const std::vector<WaitingRow>& rows,
                                           std::string_view status, std::string_view why) {
  auto head = office_.parts.store.head(id);
  if (!head) return po::temporary(head.error().text);
  Verdicts verdicts;
  for (const WaitingRow& row : rows) queue::fail(row, "bounced", status, why, verdicts);
  auto notices = notices_.make(id, *head, std::move(verdicts.reports));
  if (!notices) return tl::unexpected(notices.error());
  store::Settle settle;
  settle.id = id;
  settle.gone = std::move(verdicts.gone);
  settle.notices = std::move(*notices);
  return settle;
}

void Deliveries::noticed(const store::Accept& notice, const MessageId& about) {
  settlements_.noticed(notice, about, "failed");
  pump_soon();
}

po::Result<directory::Resolution> Deliveries::explain(std::string_view address) const {
  return office_.parts.routing.resolve(address, true);
}

NextHop Deliveries::next_hop(std::string_view address, std::string_view sender) const {
  auto found = office_.parts.routing.resolve(address, false);
  // An address of ours has rows of its own only where it is held, or has a mail drop.
  if (found && found->verdict == directory::Verdict::kLocal) {
    NextHop hop;
    hop.name = kLocalHop;
    return hop;
  }
  auto table = office_.parts.routing.table();
  return queue::next_hop(table ? **table : directory::RoutingTable(), address, sender);
}

po::Result<std::string> Deliveries::hop_by(std::string_view host, std::string_view address) const {
  std::string domain(domain_part(address));
  auto entry = directory::parse_route("*:" + std::string(host));
  if (!entry) return tl::unexpected(entry.error());
  return directory::RoutingTable({"*:" + std::string(host)}, {}).next_hop(domain, {}).name;
}

void Deliveries::ask_hosts(const NextHop& hop, std::function<void(const Hosts&)> answer) {
  Desk* desk = idlest(false);
  if (desk == nullptr || asked_.size() >= kMostAsked) {
    return answer({Kind::kTemporary, {"no deliverer is there to be asked"}});
  }
  std::uint32_t serial = ++serial_;
  asked_.emplace(serial, Asked{desk->deliverer, std::move(answer)});
  desk->deliverer->send(serial, AskHosts{hop});
}

bool Deliveries::on_hosts(Deliverer& from, std::uint32_t serial, const Hosts& hosts) {
  auto at = asked_.find(serial);
  if (at == asked_.end() || at->second.by != &from) return false;
  auto answer = std::move(at->second.answer);
  asked_.erase(at);
  answer(hosts);
  return true;
}

}  // namespace queue
