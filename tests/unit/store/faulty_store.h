// A store between the caller and a real one that fails at random, by a seed: every call is unavailable (then
// nothing was done) or unknown (then it was done, or not). For tests of those who must promise nothing on
// such an answer. Or it fails as it is told to. Any thread may call what the real store allows it to.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "lib/store/store.h"

namespace store::testing {

class FaultyStore final : public Store {
 public:
  struct Odds {
    double unavailable = 0.1;
    double unknown = 0.0;
  };
  FaultyStore(Store& real, std::uint64_t seed, Odds odds) : real_(real), random_(seed), odds_(odds) {}

  std::function<bool(const Change&)> no_room;  ///< set before the first call; asked by the writing thread
  std::atomic<bool> no_bodies = false;         ///< none can be read

  std::vector<Result<std::uint64_t>> apply(std::span<const Change> changes) override {
    auto fault = draw();
    if (!fault) return no_room ? apply_in_part(changes) : real_.apply(changes);
    if (fault->done) (void)real_.apply(changes);
    return std::vector<Result<std::uint64_t>>(changes.size(), tl::unexpected(fault->failure));
  }
  Result<std::vector<Item>> list(std::uint64_t account, const po::MessageId& after,
                                 std::size_t limit) const override {
    return perhaps([&] { return real_.list(account, after, limit); });
  }
  Result<std::vector<Item>> newest(std::uint64_t account, std::size_t limit) const override {
    return perhaps([&] { return real_.newest(account, limit); });
  }
  Result<Content> read(std::uint64_t account, const po::MessageId& id) const override {
    return perhaps([&] { return real_.read(account, id); });
  }
  Result<Usage> usage(std::uint64_t account) const override {
    return perhaps([&] { return real_.usage(account); });
  }
  Result<bool> is_stored(const po::MessageId& id) const override {
    return perhaps([&] { return real_.is_stored(id); });
  }
  Result<Totals> totals() const override {
    return perhaps([&] { return real_.totals(); });
  }
  Result<ErrandMark> errand_mark() const override {
    return perhaps([&] { return real_.errand_mark(); });
  }
  Result<Head> head(const po::MessageId& id) const override {
    return perhaps([&] { return real_.head(id); });
  }
  Result<Content> body(const po::MessageId& id) const override {
    if (no_bodies) return tl::unexpected(Failure{Status::kUnavailable, false, "a damaged body"});
    return perhaps([&] { return real_.body(id); });
  }
  Result<std::vector<HopHead>> hops(std::string_view after, std::size_t limit) const override {
    return perhaps([&] { return real_.hops(after, limit); });
  }
  Result<Due> due(std::string_view hop, std::uint64_t now_ms, std::size_t limit,
                  const std::function<bool(const RecipientKey&)>& taken) const override {
    return perhaps([&] { return real_.due(hop, now_ms, limit, taken); });
  }
  Result<std::vector<WaitingRow>> waiting(const po::MessageId& id, std::uint32_t from,
                                          std::size_t limit) const override {
    return perhaps([&] { return real_.waiting(id, from, limit); });
  }
  Result<std::vector<WaitingRow>> all_waiting(const RecipientKey& after, std::size_t limit) const override {
    return perhaps([&] { return real_.all_waiting(after, limit); });
  }
  Result<std::uint64_t> free_space() const override { return real_.free_space(); }
  Result<po::Fd> open_body(const po::MessageId& id) override {
    return perhaps([&] { return real_.open_body(id); });
  }
  Result<void> keep_body(const po::MessageId& id, std::uint64_t size, std::uint64_t checksum) override {
    return perhaps([&] { return real_.keep_body(id, size, checksum); });
  }
  void drop_body(const po::MessageId& id) override { real_.drop_body(id); }

 private:
  std::vector<Result<std::uint64_t>> apply_in_part(std::span<const Change> changes) {
    std::vector<Result<std::uint64_t>> results;
    for (const Change& change : changes) {
      if (no_room(change)) {
        results.emplace_back(tl::unexpected(Failure{Status::kUnavailable, true, "the disk is full"}));
      } else {
        results.push_back(real_.apply({&change, 1})[0]);
      }
    }
    return results;
  }

  struct Fault {
    Failure failure;
    bool done = false;  ///< what was asked was done all the same
  };
  std::optional<Fault> draw() const {
    std::lock_guard lock(mutex_);
    auto chance = [this](double p) { return std::bernoulli_distribution(p)(random_); };
    if (chance(odds_.unknown)) return Fault{{Status::kUnknown, false, "fault: unknown"}, chance(0.5)};
    if (chance(odds_.unavailable)) return Fault{{Status::kUnavailable, false, "fault: unavailable"}};
    return std::nullopt;
  }
  template <class Call>
  auto perhaps(const Call& call) const -> decltype(call()) {
    auto fault = draw();
    if (!fault) return call();
    if (fault->done) (void)call();
    return tl::unexpected(fault->failure);
  }

  Store& real_;
  mutable std::mutex mutex_;
  mutable std::mt19937_64 random_;  ///< under mutex_
  Odds odds_;
};

}  // namespace store::testing
