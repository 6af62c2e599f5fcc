import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.IntToLongFunction;

/** The programs in Java: java Peers PROGRAM SIZE ROUNDS SECONDS. Reports as every engine does. */
public final class Peers {
    static int random;

    static int next() {
        random = random * 1664525 + 1013904223;
        return random;
    }

    static int below(int limit) {
        return (int) ((next() & 0xFFFF_FFFFL) * limit >>> 32);
    }

    // Binary trees.

    static final class Tree {
        Tree left, right;

        Tree(Tree left, Tree right) {
            this.left = left;
            this.right = right;
        }

        static Tree build(int depth) {
            return depth == 0 ? new Tree(null, null) : new Tree(build(depth - 1), build(depth - 1));
        }

        int count() {
            return left == null ? 1 : 1 + left.count() + right.count();
        }
    }

    static long trees(int n) {
        long sum = Tree.build(n + 1).count();
        Tree longLived = Tree.build(n);
        for (int depth = 4; depth <= n; depth += 2) {
            for (int i = 1 << (n - depth + 4); i > 0; i--) {
                sum += Tree.build(depth).count();
            }
        }
        return sum + longLived.count();
    }

    // GCBench.

    static final class Node {
        Node left, right;
        int i, j;

        void populate(int depth) {
            if (depth > 0) {
                left = new Node();
                right = new Node();
                left.populate(depth - 1);
                right.populate(depth - 1);
            }
        }

        static Node build(int depth) {
            Node node;
            if (depth == 0) {
                node = new Node();
            } else {
                Node left = build(depth - 1), right = build(depth - 1);
                node = new Node();
                node.left = left;
                node.right = right;
            }
            return node;
        }

        static long height(Node node) {
            long height = 0;
            for (; node != null; node = node.left) {
                height++;
            }
            return height;
        }

        static long count(Node node) {
            return node == null ? 0 : 1 + count(node.left) + count(node.right);
        }

        static int size(int depth) {
            return (2 << depth) - 1;
        }
    }

    static long gcbench(int n) {
        long sum = Node.height(Node.build(n + 2));
        Node longLived = new Node();
        longLived.populate(n);
        double[] numbers = new double[8 << n];
        for (int i = 0; i < numbers.length / 2; i++) {
            numbers[i] = 1.0 / (i + 1);
        }
        for (int depth = 4; depth <= n; depth += 2) {
            int trees = 2 * Node.size(n + 2) / Node.size(depth);
            for (int i = trees; i > 0; i--) {
                Node tree = new Node();
                tree.populate(depth);
                sum += Node.height(tree);
            }
            for (int i = trees; i > 0; i--) {
                sum += Node.height(Node.build(depth));
            }
        }
        return sum + Node.count(longLived) + (long) (1e12 * numbers[numbers.length / 4]);
    }

    // A splay tree.

    static final class SplayNode {
        SplayNode left, right;
        final int[] payload;
        final int key;

        SplayNode(int[] payload, int key) {
            this.payload = payload;
            this.key = key;
        }
    }

    static SplayNode root, ends;

    static void turn(int key) {
        SplayNode node = root;
        if (node == null) {
            return;
        }
        SplayNode ends = Peers.ends, less = ends, greater = ends;
        ends.left = null;
        ends.right = null;
        while (true) {
            SplayNode next;
            if (key < node.key) {
                next = node.left;
                if (next == null) {
                    break;
                }
                if (key < next.key) {
                    node.left = next.right;
                    next.right = node;
                    node = next;
                    next = node.left;
                    if (next == null) {
                        break;
                    }
                }
                greater.left = node;
                greater = node;
            } else {
                if (key == node.key) {
                    break;
                }
                next = node.right;
                if (next == null) {
                    break;
                }
                if (key > next.key) {
                    node.right = next.left;
                    next.left = node;
                    node = next;
                    next = node.right;
                    if (next == null) {
                        break;
                    }
                }
                less.right = node;
                less = node;
            }
            node = next;
        }
        less.right = node.left;
        greater.left = node.right;
        node.left = ends.right;
        node.right = ends.left;
        root = node;
    }

    static int insert() {
        int key;
        do {
            key = next() >>> 1;
            turn(key);
        } while (root != null && root.key == key);
        int[] payload = {key, key, key, key};
        SplayNode node = new SplayNode(payload, key), before = root;
        if (before != null) {
            if (key < before.key) {
                node.left = before.left;
                node.right = before;
                before.left = null;
            } else {
                node.right = before.right;
                node.left = before;
                before.right = null;
            }
        }
        root = node;
        return key;
    }

    static long removeBelow(int key) {
        turn(key);
        SplayNode node = root.left;
        if (node != null) {
            while (node.right != null) {
                node = node.right;
            }
            key = node.key;
            turn(key);
        }
        node = root;
        if (node.left == null) {
            root = node.right;
        } else {
            root = node.left;
            turn(key);
            root.right = node.right;
        }
        return node.payload[key & 3];
    }

    static long splay(int n) {
        random = 42;
        root = null;
        ends = new SplayNode(null, 0);
        for (int i = 0; i < n; i++) {
            insert();
        }
        long sum = 0;
        for (int i = 0; i < n; i++) {
            sum += removeBelow(insert());
        }
        return sum + root.key;
    }

    // Lists and rings.

    static final class Cell {
        final int value;
        Cell next;

        Cell(int value, Cell next) {
            this.value = value;
            this.next = next;
        }
    }

    static long list(int n) {
        long sum = 0;
        for (int round = 0; round < 8; round++) {
            Cell list = null;
            for (int i = 0; i < n; i++) {
                list = new Cell(round + i, list);
            }
            for (; list != null; list = list.next) {
                sum += list.value;
            }
        }
        return sum;
    }

    static long rings(int n) {
        Cell[] kept = new Cell[256];
        long sum = 0;
        for (int i = 0; i < n / 100; i++) {
            Cell first = new Cell(i, null), last = first;
            for (int j = 1; j < 100; j++) {
                Cell cell = new Cell(i + j, null);
                last.next = cell;
                last = cell;
            }
            last.next = first;
            Cell cell = first;
            do {
                sum += cell.value;
                cell = cell.next;
            } while (cell != first);
            kept[i & 255] = first;
        }
        return sum;
    }

    // An array of references.

    static final class Box {
        final int value;

        Box(int value) {
            this.value = value;
        }
    }

    static long refarray(int n) {
        random = 42;
        Box[] boxes = new Box[n / 6];
        for (int i = 0; i < n; i++) {
            boxes[below(boxes.length)] = new Box(i);
        }
        long sum = 0;
        for (int i = 0; i < boxes.length; i++) {
            if (boxes[i] != null) {
                sum += boxes[i].value ^ i;
            }
        }
        return sum;
    }

    // Strings.

    static long strings(int n) {
        byte[][] table = new byte[1024][];
        long sum = 0;
        for (int i = 0; i < n; i++) {
            byte[] bytes = new byte[16 + (i & 31)];
            for (int j = 0; j < bytes.length; j++) {
                bytes[j] = (byte) (32 + (i * 7 + j * 3 & 63));
            }
            byte[] before = table[i & 1023];
            if (before != null && before.length <= 1024) {
                byte[] both = new byte[before.length + bytes.length];
                System.arraycopy(before, 0, both, 0, before.length);
                System.arraycopy(bytes, 0, both, before.length, bytes.length);
                bytes = both;
            }
            table[i & 1023] = bytes;
            char[] units = new char[bytes.length];
            for (int j = 0; j < units.length; j++) {
                units[j] = (char) (256 + (bytes[j] & 0xFF));
            }
            int hash = 0;
            for (int j = 0; j < units.length; j++) {
                hash = hash * 31 + units[j];
            }
            sum += hash & 0xFFFF_FFFFL;
        }
        return sum;
    }

    // Fields.

    static final class Fields {
        int a;
        long b;
        double c;
        Fields next;
    }

    static long fields(int n) {
        Fields first = new Fields(), node = first;
        for (int i = 1; i < 1024; i++) {
            Fields fields = new Fields();
            fields.next = node;
            node = fields;
        }
        first.next = node;
        for (int i = 0; i < n; i++) {
            node.a += i;
            node.b ^= i;
            node.c += 0.5;
            node = node.next;
        }
        long sum = 0;
        for (int i = 0; i < 1024; i++) {
            sum += (node.a & 0xFFFF_FFFFL) + node.b + (long) (2 * node.c);
            node = node.next;
        }
        return sum;
    }

    // Casts.

    static class T0 {
        final int value;

        T0(int value) {
            this.value = value;
        }
    }

    static class T1 extends T0 {
        T1(int value) {
            super(value);
        }
    }

    static class T2 extends T1 {
        final int more;

        T2(int value, int more) {
            super(value);
            this.more = more;
        }
    }

    static class T3 extends T2 {
        T3(int value, int more) {
            super(value, more);
        }
    }

    static class T4 extends T3 {
        final int third;

        T4(int value, int more, int third) {
            super(value, more);
            this.third = third;
        }
    }

    static class T5 extends T4 {
        T5(int value, int more, int third) {
            super(value, more, third);
        }
    }

    static final class T6 extends T5 {
        final int last;

        T6(int value, int more, int third, int last) {
            super(value, more, third);
            this.last = last;
        }
    }

    static final class Beside extends T0 {
        final int other;

        Beside(int value, int other) {
            super(value);
            this.other = other;
        }
    }

    static T0 make(int kind, int value) {
        return switch (kind) {
            case 0 -> new T0(value);
            case 1 -> new T1(value);
            case 2 -> new T2(value, 2);
            case 3 -> new T3(value, 3);
            case 4 -> new T4(value, 4, 5);
            case 5 -> new T5(value, 5, 6);
            case 6 -> new T6(value, 6, 7, value);
            default -> new Beside(value, value);
        };
    }

    static long casts(int n) {
        random = 42;
        T0[] objects = new T0[1024];
        for (int i = 0; i < objects.length; i++) {
            objects[i] = make(next() >>> 29, i);
        }
        long sum = 0;
        for (int i = 0; i < n; i++) {
            T0 object = objects[i & 1023];
            if (object instanceof T3) {
                sum += ((T3) object).more;
            }
            if (object instanceof T6) {
                sum += ((T6) object).last;
            }
            if (object instanceof Beside) {
                sum += ((Beside) object).other;
            }
        }
        return sum;
    }

    static IntToLongFunction program(String name) {
        return switch (name) {
            case "trees" -> Peers::trees;
            case "gcbench" -> Peers::gcbench;
            case "splay" -> Peers::splay;
            case "list" -> Peers::list;
            case "refarray" -> Peers::refarray;
            case "rings" -> Peers::rings;
            case "strings" -> Peers::strings;
            case "fields" -> Peers::fields;
            case "casts" -> Peers::casts;
            default -> throw new IllegalArgumentException(name);
        };
    }

    /** Processor time of all threads; the beans of the machine count in hundredths of a second. */
    static long cpuNanos() throws IOException {
        long sum = 0;
        try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                try {
                    sum += Long.parseLong(Files.readString(task.resolve("schedstat")).split(" ")[0]);
                } catch (IOException gone) {
                    // The thread has ended.
                }
            }
        }
        return sum;
    }

    public static void main(String[] arguments) throws Exception {
        IntToLongFunction program = program(arguments[0]);
        int size = Integer.parseInt(arguments[1]), rounds = Integer.parseInt(arguments[2]);
        long seconds = Long.parseLong(arguments[3]);
        StringBuilder cpu = new StringBuilder("cpu_ms"), wall = new StringBuilder("wall_ms");
        long begin = cpuNanos(), checksum = 0;
        for (int round = 0; round < rounds; round++) {
            if (round > 0 && cpuNanos() - begin >= seconds * 1_000_000_000L) {
                break;
            }
            long cpuBefore = cpuNanos(), wallBefore = System.nanoTime();
            checksum = program.applyAsLong(size);
            cpu.append(' ').append((cpuNanos() - cpuBefore) / 1e6);
            wall.append(' ').append((System.nanoTime() - wallBefore) / 1e6);
        }
        String peak = "0";
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                peak = line.replaceAll("\\D", "");
            }
        }
        System.out.println("checksum " + checksum + "\n" + cpu + "\n" + wall + "\npeak_kib " + peak);
    }
}
