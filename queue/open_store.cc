#include "queue/open_store.h"

#include "lib/store/lmdb_store.h"

namespace queue {

store::Result<std::unique_ptr<store::Store>> open_store(po::Module& module) {
  auto opened = store::LmdbStore::open({module.welcome().store_path + "/store"});
  if (!opened) return tl::unexpected(opened.error());
  module.log().event("store-opened").kv("left_over_bodies", (*opened)->swept());
  return std::move(*opened);
}

}  // namespace queue
