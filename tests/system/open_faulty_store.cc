// In the place of queue/open_store.cc: the store fails at random as the file `faults` in the mailbox
// directory says (on one line: seed, odds of unavailable, odds of unknown), and not at all without that file.
#include <fstream>

#include "lib/store/lmdb_store.h"
#include "queue/open_store.h"
#include "tests/unit/store/faulty_store.h"

namespace queue {

store::Result<std::unique_ptr<store::Store>> open_store(po::Module& module) {
  const std::string& folder = module.welcome().store_path;
  auto opened = store::LmdbStore::open({folder + "/store"});
  if (!opened) return tl::unexpected(opened.error());
  std::uint64_t seed = 0;
  store::testing::FaultyStore::Odds odds{0.0, 0.0};
  std::ifstream(folder + "/faults") >> seed >> odds.unavailable >> odds.unknown;
  seed += module.welcome().incarnation;  // each start meets other faults
  module.log().event("faulty-store").kv("seed", seed);
  store::Store& real = *opened->release();  // lives as long as the process
  return std::make_unique<store::testing::FaultyStore>(real, seed, odds);
}

}  // namespace queue
