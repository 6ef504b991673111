// The frame of every page: head, skip link, navigation, who is logged in and the way out, what is to be said,
// footer. Pages bring a title and their own part. Pure. Callers: Visit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wwwd/html.h"
#include "wwwd/response.h"

namespace wwwd {

/// Who looks at a page, as accounts says.
struct Viewer {
  std::uint64_t account = 0;
  std::string address;
  std::string name;
  bool postmaster = false;
  std::string seal;  ///< hidden in each form: Visit::open_form()
};

enum class Tone : std::uint8_t {
  kDone,     ///< what was asked for has been done
  kNote,     ///< to be known
  kWarning,  ///< needs attention
  kProblem   ///< was not done
};

/// Stands above the page's own part.
struct Notice {
  Tone tone = Tone::kNote;
  std::string title;
  Html more = {};  ///< below the title; may be blank
};

struct Crumb {
  std::string path, title;
};

struct Page {
  std::string title;
  /// The entry of the navigation that this page belongs to, by its path.
  std::string_view place = {};
  Html body = {};
  std::vector<Crumb> crumbs = {};  ///< the way to this page, outermost first, without itself
  std::vector<Notice> notices = {};
  int status = 200;
  bool wide = false;  ///< uses the whole width: tables
};

/// `viewer`: null for somebody who is not logged in. `host`: the name to show.
[[nodiscard]] std::string render_page(const Page& page, const Viewer* viewer, std::string_view host);

}  // namespace wwwd
