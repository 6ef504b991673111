// The authentication form, logging out, and what is done with a form that was sent when the session was over:
// the log-in page carries its fields on, and they are shown again afterwards.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wwwd/handler.h"
#include "wwwd/page.h"
#include "wwwd/routes.h"

namespace wwwd {

struct LogInView {
  std::string login;  ///< as typed
  std::string then;   ///< where to go afterwards; empty: the first page
  std::vector<std::pair<std::string, std::string>> carried;  ///< fields of the form that was sent too late
  std::vector<Notice> notices;
  int status = 200;
};
[[nodiscard]] Page log_in_page(const LogInView& view);

/// For a page that was asked for without a session, or when it was over.
[[nodiscard]] LogInView log_in_first(const Request& request, bool over);
/// For a POST that came with a dead session. Passwords are not carried on, nor is more than kMostCarried.
[[nodiscard]] LogInView log_in_again(const Request& request, bool can_resume);
inline constexpr std::size_t kMostCarried = 32 * 1024;

/// Path and query as they stand in an address, encoded.
[[nodiscard]] std::string path_and_query(const Request& request);
/// `then` if it is a path of ours with or without a query, else "/".
[[nodiscard]] std::string safe_path(std::string_view then);

/// Shows the page at `path` with the fields that were carried on; the exchange's request was a log-in that
/// went well.
using Resume = std::function<void(const std::shared_ptr<Exchange>& exchange, std::string token,
                                  std::string path, Parameters fields)>;
void add_log_in_pages(Routes& routes, Resume resume);

}  // namespace wwwd
