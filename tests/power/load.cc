#include "tests/power/load.h"

#include <unistd.h>

#include <algorithm>

#include "lib/checksum.h"

namespace power {

using store::Accept;
using store::Change;
using store::Errand;
using store::Expunge;
using store::Release;
using store::Settle;
using store::Waiting;

static constexpr std::uint64_t kAccounts = 9;
static constexpr std::size_t kManyMessages = 8;  // in one mailbox: then more is deleted than comes
static constexpr std::size_t kManyWaiting = 60;  // recipients: then more of them go
static constexpr std::uint64_t kNewStart = 41;   // so many commits

Load::Load(std::uint64_t seed, std::string path, Recorder& recorder)
    : dice_(seed), path_(std::move(path)), recorder_(recorder), history_{{}, {Held{}}} {}

bool Load::failed(const store::Failure& failure) {
  error_ = failure.text;
  failure_ = failure;
  return false;
}

bool Load::open() {
  store_.reset();
  large_.reset();  // the start sweeps it
  auto opened = store::LmdbStore::open({path_, kMapOctets});
  if (!opened) return failed(opened.error());
  store_ = std::move(*opened);
  return true;
}

static bool write_octets(int fd, std::string_view octets) {
  while (!octets.empty()) {
    ssize_t n = ::write(fd, octets.data(), octets.size());
    if (n <= 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// What smtpd would say of it: no message came to be.
static store::Failure no_body() {
  return {store::Status::kUnavailable, false, "cannot write a body"};
}

static std::string random_octets(Dice& dice, std::size_t size) {
  std::string octets;
  while (octets.size() < size) {
    std::uint64_t eight = dice.next();
    octets.append(reinterpret_cast<const char*>(&eight), sizeof eight);
  }
  octets.resize(size);
  return octets;
}

/// Ids of several makers: they rise, mostly.
static po::MessageId make_id(std::uint64_t number) {
  po::MessageId id;
  for (int i = 0; i < 8; ++i)
    id.octets[static_cast<std::size_t>(11 - i)] = static_cast<std::uint8_t>(number >> (8 * i));
  id.octets[0] = 1;
  return id;
}

Accept Load::next_accept(std::size_t size) {
  Accept a;
  number_ += 8;
  a.id = make_id(number_ - (dice_.chance(64) ? 20 : 0) + dice_.below(2));
  while (a.id == po::MessageId{} || history_.bodies.contains(a.id)) a.id = make_id(number_ += 3);
  a.envelope.sender = "sender@example.org";
  a.body = random_octets(dice_, size);
  a.size = a.body.size();
  po::Checksum sum;
  sum.add(a.body);
  a.checksum = sum.value();
  a.arrival_ms = 1'700'000'000'000 + number_;
  std::uint64_t waiting = dice_.chance(60) ? dice_.below(12) : dice_.below(2);
  for (std::uint64_t n = waiting; n > 0; --n) a.waiting.push_back(next_waiting());
  std::uint64_t least = waiting > 0 && dice_.chance(128) ? 0 : 1;
  for (std::uint64_t n = least + (dice_.chance(80) ? dice_.below(5) : 0); n > 0; --n) {
    std::uint64_t account = 1 + dice_.below(kAccounts);
    a.deliveries.push_back({account, 0, "", "Delivered-To: " + std::to_string(account) + "@example.org\r\n"});
  }
  history_.bodies[a.id] = a.body;
  return a;
}

Waiting Load::next_waiting() {
  static const char* const kHops[] = {"example.net", "example.com", "[relay.example.org]:587"};
  Waiting w;
  w.address = "user" + std::to_string(dice_.below(1000)) + "@example.net";
  w.hop = kHops[dice_.below(3)];
  w.lane = static_cast<std::uint8_t>(dice_.below(4));
  w.next_ms = 1'700'000'000'000 + dice_.below(100'000);
  w.held = dice_.chance(20);
  for (std::uint64_t n = dice_.chance(128) ? dice_.below(4) : 0; n > 0; --n) {
    w.last.push_back({dice_.below(1000), "mx.example.net", std::string(dice_.below(150), 'r')});
  }
  return w;
}

/// Of one message: some go, some are put off, and a notice comes about what went.
Change Load::next_settle() {
  Settle s;
  if (now_.waiting.empty()) return s;
  auto row = now_.waiting.lower_bound({make_id(dice_.below(number_ + 1)), 0});
  if (row == now_.waiting.end()) row = now_.waiting.begin();
  s.id = row->first.id;
  bool many = now_.waiting.size() > kManyWaiting;
  for (; row != now_.waiting.end() && row->first.id == s.id; ++row) {
    if (dice_.chance(many ? 200 : 100)) {
      s.gone.push_back(row->first.n);
    } else if (dice_.chance(100)) {
      s.later.push_back({row->first.n, next_waiting()});
    }
  }
  if (dice_.chance(100)) s.notices.push_back(next_accept(dice_.chance(128) ? 700 : 5000));
  return s;
}

Change Load::next_expunge() {
  Expunge e{1 + dice_.below(kAccounts), {}};
  auto box = now_.mailboxes.find(e.account);
  if (box == now_.mailboxes.end()) return e;
  bool much = box->second.size() > kManyMessages;
  for (const auto& [id, prefix] : box->second) {
    if (dice_.chance(much ? 160 : 50)) e.ids.push_back(id);
  }
  return e;
}

/// The one that was begun goes on until it is done; then the next begins.
Change Load::next_errand() {
  if (errand_.mark == now_.errand) {
    errand_ = {
        {now_.errand.generation + 1, dice_.below(3)}, dice_.below(kAccounts + 1), 0, 1 + dice_.below(6)};
    if (dice_.chance(170)) errand_.into = 1 + dice_.below(kAccounts);
    if (errand_.into == errand_.empty) errand_.into = 0;
    if (dice_.chance(80)) errand_.messages.push_back(next_accept(dice_.chance(128) ? 700 : 5000));
  }
  return errand_;
}

void Load::note_errand(const Errand& e) {
  if (e.mark == now_.errand) return;
  std::size_t moved = 0;
  Mailboxes& boxes = now_.mailboxes;
  for (auto box = boxes.find(e.empty); box != boxes.end() && moved < e.at_most; box = boxes.find(e.empty)) {
    auto row = box->second.extract(box->second.begin());
    if (box->second.empty()) boxes.erase(box);
    if (e.into != 0) boxes[e.into].insert(std::move(row));
    ++moved;
  }
  if (moved == e.at_most) return;
  for (const Accept& a : e.messages) note_accept(a);
  now_.errand = e.mark;
}

bool Load::begin_large() {
  Accept a = next_accept(66'000 + dice_.below(30'000));
  auto file = store_->open_body(a.id);
  if (!file) return failed(file.error());
  std::size_t first = dice_.below(a.body.size());
  large_file_ = std::move(*file);
  if (!write_octets(large_file_.get(), std::string_view(a.body).substr(0, first))) return failed(no_body());
  large_rest_ = a.body.substr(first);
  a.body.clear();
  a.in_file = true;
  large_ = std::move(a);
  return true;
}

bool Load::end_large(std::vector<Change>& batch) {
  Accept a = std::move(*large_);
  large_.reset();
  if (!write_octets(large_file_.get(), large_rest_)) return failed(no_body());
  large_file_.reset();
  if (dice_.chance(50)) {
    store_->drop_body(a.id);
    return true;
  }
  auto kept = store_->keep_body(a.id, a.size, a.checksum);
  if (!kept) return failed(kept.error());
  if (dice_.chance(25)) {
    store_->drop_body(a.id);  // its transaction was refused
  } else {
    batch.emplace_back(std::move(a));
  }
  return true;
}

bool Load::large_body(std::vector<Change>& batch) {
  if (large_) return !dice_.chance(128) || end_large(batch);
  return !dice_.chance(100) || begin_large();
}

void Load::note_accept(const Accept& a) {
  for (const store::Delivery& d : a.deliveries) now_.mailboxes[d.account].emplace(a.id, d.prefix);
  for (std::uint32_t n = 0; n < a.waiting.size(); ++n) now_.waiting[{a.id, n}] = a.waiting[n];
}

void Load::note_settle(const Settle& s) {
  std::size_t there = 0;
  for (std::uint32_t n : s.gone) there += now_.waiting.erase({s.id, n});
  for (const auto& [n, row] : s.later) {
    auto found = now_.waiting.find({s.id, n});
    if (found == now_.waiting.end()) continue;
    found->second = row;
    ++there;
  }
  for (const Accept& notice : s.notices) {
    if (there > 0) note_accept(notice);
  }
}

void Load::note(const Change& change) {
  if (const auto* a = std::get_if<Accept>(&change)) {
    note_accept(*a);
  } else if (const auto* s = std::get_if<Settle>(&change)) {
    note_settle(*s);
  } else if (const auto* errand = std::get_if<Errand>(&change)) {
    note_errand(*errand);
  } else if (const auto* e = std::get_if<Expunge>(&change)) {
    auto box = now_.mailboxes.find(e->account);
    if (box == now_.mailboxes.end()) return;
    for (const po::MessageId& id : e->ids) box->second.erase(id);
    if (box->second.empty()) now_.mailboxes.erase(box);
  }
}

bool Load::step() {
  static constexpr std::size_t kSizes[] = {0, 10, 500, 500, 2500, 4080, 4081, 9000, 2500, 30'000};
  std::size_t number = history_.after.size();
  if ((!store_ || number % kNewStart == 0) && !open()) return false;
  std::vector<Change> batch;
  if (!large_body(batch)) return false;
  for (std::uint64_t n = 1 + dice_.below(6); n > 0; --n) {
    std::uint64_t what = dice_.below(12);
    if (what < 2) {
      batch.push_back(next_expunge());
    } else if (what == 2) {
      batch.emplace_back(Release{dice_.below(40)});
    } else if (what < 6) {
      batch.push_back(next_settle());
    } else if (what == 11) {
      batch.push_back(next_errand());
    } else {
      batch.emplace_back(next_accept(kSizes[dice_.below(std::size(kSizes))]));
    }
  }
  recorder_.mark(Begun{number});
  auto results = store_->apply(batch);
  for (const auto& result : results) {
    if (result) continue;
    done_beside_failure_ =
        static_cast<std::size_t>(std::ranges::count_if(results, [](const auto& r) { return r.has_value(); }));
    return failed(result.error());
  }
  recorder_.mark(Answered{number});
  for (const Change& change : batch) note(change);
  history_.after.push_back(now_);
  return true;
}

}  // namespace power
