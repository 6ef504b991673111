// A store between the caller and a real one that fails at random, by a seed: changes are unavailable (then
// they were not made) or unknown (then they were made or not), reads are unavailable. For tests of those who
// must promise nothing on such an answer.
#pragma once

#include <memory>
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

  std::vector<Result<std::uint64_t>> apply(std::span<const Change> changes) override {
    if (chance(odds_.unknown)) {
      if (chance(0.5)) (void)real_.apply(changes);
      return fail_all(changes.size(), {Status::kUnknown, false, "fault: unknown"});
    }
    if (chance(odds_.unavailable)) return fail_all(changes.size(), unavailable());
    return real_.apply(changes);
  }
  Result<std::vector<Item>> list(std::uint64_t account, const po::MessageId& after,
                                 std::size_t limit) const override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.list(account, after, limit);
  }
  Result<std::vector<Item>> newest(std::uint64_t account, std::size_t limit) const override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.newest(account, limit);
  }
  Result<Content> read(std::uint64_t account, const po::MessageId& id) const override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.read(account, id);
  }
  Result<Usage> usage(std::uint64_t account) const override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.usage(account);
  }
  Result<bool> is_stored(const po::MessageId& id) const override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.is_stored(id);
  }
  Result<Totals> totals() const override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.totals();
  }
  Result<std::uint64_t> free_space() const override { return real_.free_space(); }
  Result<po::Fd> open_body(const po::MessageId& id) override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.open_body(id);
  }
  Result<void> keep_body(const po::MessageId& id, std::uint64_t size, std::uint64_t checksum) override {
    return read_fails() ? tl::unexpected(unavailable()) : real_.keep_body(id, size, checksum);
  }
  void drop_body(const po::MessageId& id) override { real_.drop_body(id); }

 private:
  static std::vector<Result<std::uint64_t>> fail_all(std::size_t n, const Failure& failure) {
    return std::vector<Result<std::uint64_t>>(n, tl::unexpected(failure));
  }
  static Failure unavailable() { return {Status::kUnavailable, false, "fault: unavailable"}; }
  bool chance(double p) const { return std::bernoulli_distribution(p)(random_); }
  bool read_fails() const { return chance(odds_.unavailable); }

  Store& real_;
  mutable std::mt19937_64 random_;
  Odds odds_;
};

}  // namespace store::testing
