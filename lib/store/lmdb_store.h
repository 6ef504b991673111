// The store in LMDB (man/store.5), for one process: it holds an exclusive lock on the directory. Reads are
// short read transactions, which neither wait for the writer nor make it wait, and copy out what they return.
// Caller: queue.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/store/body_files.h"
#include "lib/store/mdb.h"
#include "lib/store/spare_space.h"
#include "lib/store/store.h"

namespace store {

struct LmdbOptions {
  std::string path;                       ///< the store's directory; made if missing, its parent is not
  std::uint64_t map_octets = 1ULL << 40;  ///< address space, and the most that the tables can grow to
};

class LmdbStore final : public Store {
 public:
  /// Takes the lock, opens or makes the tables, removes what a crash left. Refused: another process has it,
  /// or a newer version wrote it.
  [[nodiscard]] static Result<std::unique_ptr<LmdbStore>> open(const LmdbOptions& options);

  std::vector<Result<std::uint64_t>> apply(std::span<const Change> changes) override;
  Result<std::vector<Item>> list(std::uint64_t account, const po::MessageId& after,
                                 std::size_t limit) const override;
  Result<std::vector<Item>> newest(std::uint64_t account, std::size_t limit) const override;
  Result<Content> read(std::uint64_t account, const po::MessageId& id) const override;
  Result<Usage> usage(std::uint64_t account) const override;
  Result<bool> is_stored(const po::MessageId& id) const override;
  Result<Totals> totals() const override;
  Result<ErrandMark> errand_mark() const override;
  Result<Head> head(const po::MessageId& id) const override;
  Result<Content> body(const po::MessageId& id) const override;
  Result<std::vector<HopHead>> hops(std::string_view after, std::size_t limit) const override;
  Result<Due> due(std::string_view hop, std::uint64_t now_ms, std::size_t limit,
                  const std::function<bool(const RecipientKey&)>& taken) const override;
  Result<std::vector<WaitingRow>> waiting(const po::MessageId& id, std::uint32_t from,
                                          std::size_t limit) const override;
  Result<std::vector<WaitingRow>> all_waiting(const RecipientKey& after, std::size_t limit) const override;
  Result<std::uint64_t> free_space() const override;
  Result<po::Fd> open_body(const po::MessageId& id) override;
  Result<void> keep_body(const po::MessageId& id, std::uint64_t size, std::uint64_t checksum) override;
  void drop_body(const po::MessageId& id) override;

  /// Left-over files that open() removed, for the log.
  [[nodiscard]] std::size_t swept() const { return swept_; }

 private:
  LmdbStore() = default;
  Result<void> open_environment(const std::string& path, std::uint64_t map_octets, unsigned flags);
  Result<void> make_store(const LmdbOptions& options);
  Result<void> open_tables();
  int make_tables(MDB_txn* txn);
  int write_or_use_spare(std::span<const Change> changes, std::vector<Result<std::uint64_t>>& results);
  int write_all(std::span<const Change> changes, std::vector<Result<std::uint64_t>>& results);
  Failure failure_after_commit(int rc);
  Result<std::optional<std::string>> find_record(const po::MessageId& id) const;
  Result<bool> names_file(const po::MessageId& id) const;
  int read_prefix(MDB_txn* txn, std::uint64_t account, const po::MessageId& id, Content& content) const;
  int read_body(MDB_txn* txn, const po::MessageId& id, Content& content, bool& in_file) const;
  Result<Content> read_content(std::optional<std::uint64_t> account, const po::MessageId& id) const;
  Result<std::vector<WaitingRow>> read_waiting(std::string_view start, std::size_t limit,
                                               const po::MessageId* of) const;

  // The lock outlives all others: it is given back last.
  po::Fd root_, lock_;
  BodyFiles files_;
  SpareSpace spare_;
  mdb::Env env_;
  mdb::Tables tables_;
  std::size_t swept_ = 0;
};

}  // namespace store
