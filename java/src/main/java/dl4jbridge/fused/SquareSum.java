package dl4jbridge.fused;

/** Adds up squares, in as many strands as the longest array has elements, so that HotSpot makes vector instructions of it. */
final class SquareSum {
    private final float[] strands;

    SquareSum(int longest) {
        strands = new float[longest];
    }

    /** The squares of an array's front. */
    void add(float[] x, int n) {
        PointwiseMath.addProduct(x, x, strands, n);
    }

    double total() {
        double total = 0;
        for (float strand : strands) {
            total += strand;
        }
        return total;
    }
}
