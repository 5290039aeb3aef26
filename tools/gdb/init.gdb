# What `make debug` does in gdb once it is attached: QEMU stands at the reset vector, both symbol
# tables are loaded (as linked, and 3 GiB lower for the code that runs before paging), and
# $quarry_entry is the kernel's entry point.  Leaves the machine stopped there.

set confirm off
set pagination off
set print pretty on

python
import os
helpers = os.path.join(os.path.dirname(os.path.abspath("tools/gdb/init.gdb")), "quarry.py")
if os.path.exists(helpers):
    gdb.execute("source " + helpers)
end

# A hardware breakpoint: the loader has yet to write the code that it stands on.
thbreak *$quarry_entry
continue
