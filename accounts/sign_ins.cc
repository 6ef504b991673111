#include "accounts/sign_ins.h"

#include <algorithm>
#include <memory>

#include "accounts/secrets.h"

namespace accounts {

std::string_view service_name(Service service) {
  switch (service) {
    case Service::kPop3:
      return "POP3";
    case Service::kSubmission:
      return "submission";
    case Service::kWeb:
      return "web";
    case Service::kCommand:
      break;
  }
  return "command";
}

std::vector<SignIn> merged_sign_ins(std::vector<SignIn> kept, const std::vector<SignIn>& more) {
  for (const SignIn& one : more) {
    auto same = std::find_if(kept.begin(), kept.end(), [&](const SignIn& k) {
      return k.service == one.service && k.from == one.from && k.by == one.by;
    });
    if (same == kept.end()) {
      kept.push_back(one);
      continue;
    }
    same->last = std::max(same->last, one.last);
    same->count += std::min(one.count, UINT32_MAX - same->count);
  }
  std::stable_sort(kept.begin(), kept.end(),
                   [](const SignIn& a, const SignIn& b) { return a.last > b.last; });
  std::size_t good = 0, refused = 0;
  std::erase_if(kept, [&](const SignIn& k) {
    return k.refused() ? ++refused > kMostRefusedSignIns : ++good > kMostGoodSignIns;
  });
  return kept;
}

SignIns::SignIns(const po::Loop& loop, Secrets& secrets, Threads& writer)
    : secrets_(secrets), writer_(writer) {
  period_.every(loop, kPeriod, [this] { flush(); });
}

void SignIns::add(std::uint64_t account, SignIn sign_in) {
  if (pending_.rows.size() >= kMostPending) flush();
  Seen& seen = pending_.rows[{account, sign_in.service, std::move(sign_in.from), std::move(sign_in.by)}];
  seen.last = sign_in.last;
  seen.count += sign_in.count;
}

void SignIns::used(std::uint64_t account, std::uint32_t id, std::int64_t at, std::string_view from) {
  pending_.uses[{account, id}] = {at, std::string(from)};
}

void SignIns::flush() {
  if (pending_.empty()) return;
  auto batch = std::make_shared<Batch>(std::exchange(pending_, {}));
  std::size_t rows = batch->rows.size();
  if (writing_ + rows > kMostUnwritten) return;
  writing_ += rows;
  writer_.run([&secrets = secrets_, batch] { write(secrets, *batch); }, [this, rows] { writing_ -= rows; });
}

/// One transaction. If it fails, the rows are lost, and nothing else: no log-in waits for them.
void SignIns::write(Secrets& secrets, const Batch& batch) {
  std::map<std::uint64_t, std::vector<SignIn>> accounts;
  for (const auto& [row, seen] : batch.rows) {
    const auto& [account, service, from, by] = row;
    accounts[account].push_back({seen.last, service, from, by, seen.count});
  }
  auto change = secrets.begin();
  if (!change) return;
  for (const auto& [account, more] : accounts) {
    auto kept = secrets.sign_ins(account);
    if (!kept || !change->set_sign_ins(account, merged_sign_ins(std::move(*kept), more))) return;
  }
  for (const auto& [password, use] : batch.uses)
    if (!change->set_app_password_used(password.first, password.second, use.at, use.from)) return;
  (void)change->commit();
}

}  // namespace accounts
